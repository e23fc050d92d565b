package admin

import (
	"essaim.coop/essaim/people"
	"essaim.coop/essaim/storage"
)

// rightWords are what rights are called on the page and in the API.
var rightWords = map[string]storage.Rights{"none": 0, "read": people.MayRead, "write": people.MayWrite, "manage": people.MayManage}

func rightWord(r storage.Rights) string {
	switch {
	case r.Has(storage.RightAdminister):
		return "manage"
	case r.Has(people.MayWrite):
		return "write"
	case r.Has(storage.RightRead) && r&^people.MayRead == 0:
		return "read"
	}
	return "other"
}

func sharedOf(tx *storage.Tx, s people.Shared) Shared {
	out := Shared{Collection: uint32(s.Object.Collection), Item: uint32(s.Object.Item), Kind: string(s.Kind), Name: s.Name, Standard: s.Standard,
		Group: uint32(s.Group.ID), Owner: s.Group.Address, Items: s.Items, Bytes: s.Bytes, Changed: s.Changed}
	for _, e := range s.Rights {
		out.Rights = append(out.Rights, SharedRight{addressOf(tx, e.Account), rightWord(e.Rights), e.Rights.String()})
	}
	return out
}
