package dav

import (
	"essaim.coop/essaim/dav/davxml"
	"essaim.coop/essaim/storage"
)

// Privileges are a set of access privileges (RFC 3744 §3).
type Privileges uint32

const (
	PrivRead Privileges = 1 << iota
	PrivWriteProperties
	PrivWriteContent
	PrivBind
	PrivUnbind
	PrivUnlock
	PrivReadACL
	PrivReadOwn // DAV:read-current-user-privilege-set
	PrivWriteACL
	PrivReadFreeBusy // CALDAV:read-free-busy (RFC 4791 §6.1.1)
	PrivScheduleDeliver
	PrivScheduleSend

	// PrivWrite is the aggregate DAV:write.
	PrivWrite = PrivWriteProperties | PrivWriteContent | PrivBind | PrivUnbind
	// PrivFiles is DAV:all where nothing of CalDAV applies.
	PrivFiles = PrivRead | PrivWrite | PrivUnlock | PrivReadACL | PrivReadOwn | PrivWriteACL
	// PrivAll is everything.
	PrivAll = PrivFiles | PrivReadFreeBusy | PrivScheduleDeliver | PrivScheduleSend
)

// Has reports whether all of q are in p.
func (p Privileges) Has(q Privileges) bool { return p&q == q }

// privileges is the table of the single ones, with any of the rights that give
// each.
var privileges = []struct {
	p      Privileges
	name   davxml.Name
	rights storage.Rights
	what   string
	parts  []davxml.Name // that it contains and that are never given apart
}{
	{PrivRead, davxml.DAV("read"), storage.RightRead, "Read", nil},
	{PrivReadOwn, davxml.DAV("read-current-user-privilege-set"), storage.RightLookup | storage.RightRead, "See one's own privileges", nil},
	{PrivReadFreeBusy, davxml.CalDAV("read-free-busy"), storage.RightLookup | storage.RightRead, "See when someone is busy", nil},
	{PrivWriteProperties, davxml.DAV("write-properties"), storage.RightWrite, "Change properties", nil},
	{PrivWriteContent, davxml.DAV("write-content"), storage.RightWrite, "Change content", nil},
	{PrivBind, davxml.DAV("bind"), storage.RightInsert | storage.RightCreate, "Add members", nil},
	{PrivUnbind, davxml.DAV("unbind"), storage.RightDeleteItems, "Remove members", nil},
	{PrivUnlock, davxml.DAV("unlock"), storage.RightAdminister, "Remove the locks of others", nil},
	{PrivReadACL, davxml.DAV("read-acl"), storage.RightAdminister, "Read the access control list", nil},
	{PrivWriteACL, davxml.DAV("write-acl"), storage.RightAdminister, "Change the access control list", nil},
	{PrivScheduleDeliver, davxml.CalDAV("schedule-deliver"), storage.RightPost, "Send invitations to", []davxml.Name{davxml.CalDAV("schedule-deliver-invite"), davxml.CalDAV("schedule-deliver-reply"), davxml.CalDAV("schedule-query-freebusy")}}, // RFC 6638 §6.3
	{PrivScheduleSend, davxml.CalDAV("schedule-send"), storage.RightPost, "Invite in the name of", []davxml.Name{davxml.CalDAV("schedule-send-invite"), davxml.CalDAV("schedule-send-reply"), davxml.CalDAV("schedule-send-freebusy")}},
}

// PrivilegesOf returns what rights give. A tree takes away what means nothing
// for the resource, and knows by itself what is inherited.
func PrivilegesOf(r storage.Rights) (p Privileges) {
	for _, row := range privileges {
		if r&row.rights != 0 {
			p |= row.p
		}
	}
	return p
}

// RightsOf returns the rights that give p, together with those that mail knows
// apart from them: whoever may read keeps a state of their own, whoever may
// remove members may expunge.
func RightsOf(p Privileges) (r storage.Rights) {
	for _, row := range []struct {
		p Privileges
		r storage.Rights
	}{
		{PrivRead, storage.RightLookup | storage.RightRead | storage.RightSeen},
		{PrivReadFreeBusy | PrivReadOwn, storage.RightLookup},
		{PrivWriteContent | PrivWriteProperties, storage.RightWrite},
		{PrivBind, storage.RightInsert | storage.RightCreate},
		{PrivUnbind, storage.RightDeleteItems | storage.RightExpunge | storage.RightDeleteCollection},
		{PrivReadACL | PrivWriteACL | PrivUnlock, storage.RightAdminister},
		{PrivScheduleDeliver | PrivScheduleSend, storage.RightPost},
	} {
		if p&row.p != 0 {
			r |= row.r
		}
	}
	return r
}

// needs is the 403 of RFC 3744 §7.1.1 that names what is missing where.
func needs(href string, missing Privileges) *StatusError {
	e := Forbidden(davxml.DAV("need-privileges"))
	e.Detail = func(w *davxml.Writer) {
		for _, row := range privileges {
			if missing&row.p == 0 {
				continue
			}
			w.Open(davxml.DAV("resource"))
			w.Href(href)
			w.Open(davxml.DAV("privilege"))
			w.Empty(row.name)
			w.Close(davxml.DAV("privilege"))
			w.Close(davxml.DAV("resource"))
		}
	}
	return e
}

// writeSet writes a DAV:privilege element for each privilege, and one for the
// aggregates that are complete. Where nobody may write, everything there is to
// grant is not called DAV:all: to clients that is the right to write.
func (p Privileges) writeSet(w *davxml.Writer, within Privileges) {
	p &= within
	if p == within && p&PrivWrite != 0 {
		writePrivilege(w, davxml.DAV("all"))
	}
	if p.Has(PrivWrite&within) && within&PrivWrite != 0 {
		writePrivilege(w, davxml.DAV("write"))
	}
	for _, row := range privileges {
		if p&row.p != 0 {
			writePrivilege(w, row.name)
			for _, part := range row.parts {
				writePrivilege(w, part)
			}
		}
	}
}

func writePrivilege(w *davxml.Writer, n davxml.Name) {
	w.Open(davxml.DAV("privilege"))
	w.Empty(n)
	w.Close(davxml.DAV("privilege"))
}
