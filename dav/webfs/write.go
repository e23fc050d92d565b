package webfs

import (
	"bytes"
	"crypto/md5"
	"crypto/sha1"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io"
	"net/http"
	"strconv"
	"strings"
	"time"

	"essaim.coop/essaim/dav"
	"essaim.coop/essaim/dav/davxml"
	"essaim.coop/essaim/storage"
	"essaim.coop/essaim/storage/files"
)

var syncTraversal = davxml.DAV("sync-traversal-supported")

// Receive verifies the checksum that the client sent along, if it did, and
// keeps it. One that does not fit is 400: the body is not what was meant.
func (f *folder) Receive(up *dav.Upload) error {
	c := files.Staged(up.Body, mediaType(up.Name, up.Type))
	name, want, ok := strings.Cut(up.Header.Get("OC-Checksum"), ":")
	if ok {
		if err := verify(&c, up, strings.ToUpper(strings.TrimSpace(name)), strings.TrimSpace(want)); err != nil {
			return err
		}
	}
	up.Parsed = c
	return nil
}

func verify(c *files.Content, up *dav.Upload, name, want string) error {
	sum, err := hex.DecodeString(want)
	if err != nil {
		return &dav.StatusError{Status: http.StatusBadRequest, Err: err}
	}
	var got []byte
	switch name {
	case "SHA256":
		if got = c.SHA256; got == nil {
			got, err = digest(up, sha256.New())
			c.SHA256 = got
		}
	case "SHA1":
		got, err = digest(up, sha1.New())
		c.SHA1 = got
	case "MD5":
		got, err = digest(up, md5.New())
		c.MD5 = got
	default: // one we do not know says nothing
		return nil
	}
	if err == nil && !bytes.Equal(got, sum) {
		err = &dav.StatusError{Status: http.StatusBadRequest, Err: fmt.Errorf("%s is %x, sent with %x", name, got, sum)}
	}
	return err
}

func digest(up *dav.Upload, h hash.Hash) ([]byte, error) {
	r, err := up.Body.Reader()
	if err != nil {
		return nil, err
	}
	_, err = io.Copy(h, r)
	return h.Sum(nil), errors.Join(err, r.Close())
}

// Write makes a file or gives it new content.
func (f *folder) Write(s *dav.Scope, name string, _ dav.Resource, up *dav.Upload) (dav.Resource, error) {
	c, ok := up.Parsed.(files.Content)
	if !ok { // the empty file of a LOCK
		c = files.Staged(up.Body, mediaType(name, up.Type))
	}
	at := f.attr(s)
	at.Modified = clientTime(up.Header.Get("X-OC-Mtime"), s.Now)
	at.Created = clientTime(up.Header.Get("X-OC-CTime"), s.Now)
	n, _, err := files.Put(s.Tx, f.place.Tree, f.place.Node.ID, name, c, at)
	if err != nil {
		return nil, err
	}
	r := f.child(s, n)
	if up.Answer != nil {
		if !at.Modified.IsZero() {
			up.Answer.Set("X-Oc-Mtime", "accepted")
		}
		up.Answer.Set("Oc-Fileid", fileID(storage.Object{Collection: f.place.Tree.ID, Item: n.ID}))
		up.Answer.Set("Oc-Etag", n.ETag())
	}
	return r, nil
}

// clientTime reads seconds since 1970, which some clients send with a fraction.
// A date of the first day of 1970, or of after tomorrow, is no date: those come
// from clients that have none, and others choke on them.
func clientTime(v string, now time.Time) time.Time {
	sec, err := strconv.ParseFloat(strings.TrimSpace(v), 64)
	if err != nil || !(sec > 86_400) || sec > float64(now.Unix()+86_400) {
		return time.Time{}
	}
	return time.UnixMilli(int64(sec * 1000))
}

// Freeable is what trash and versions take up.
func (f *folder) Freeable(s *dav.Scope) int64 { return files.Freeable(s.Tx, f.place.Tree) }

// Make makes a folder.
func (f *folder) Make(s *dav.Scope, name string, types []davxml.Name) (dav.Resource, error) {
	if len(types) > 0 {
		return nil, dav.Forbidden(davxml.DAV("valid-resourcetype"))
	}
	n, err := files.Mkdir(s.Tx, f.place.Tree, f.place.Node.ID, name, f.attr(s))
	if err != nil {
		return nil, err
	}
	return f.child(s, n), nil
}

// Delete puts a member into the trash. A folder that others share is left, when
// it is shared with the user himself.
func (f *folder) Delete(s *dav.Scope, _ string, r dav.Resource) error {
	n := nodeOf(r)
	if n.place.Mount == nil {
		return files.Delete(s.Tx, n.place.Tree, n.place.Node.ID, f.attr(s))
	}
	if s.Tx.RightsOf(n.Object(), s.User) == 0 {
		return fmt.Errorf("%q is shared with a group: %w", n.place.Mount.Name, storage.ErrPermission)
	}
	if err := s.Tx.SetACL(n.Object(), s.User, 0); err != nil {
		return err
	}
	return files.Delete(s.Tx, f.place.Tree, n.place.Mount.ID, f.attr(s))
}

func nodeOf(r dav.Resource) *node {
	switch r := r.(type) {
	case *file:
		return &r.node
	case *folder:
		return &r.node
	}
	return nil
}
