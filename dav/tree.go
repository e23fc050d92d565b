package dav

import (
	"io"
	"net/http"
	"time"

	"essaim.coop/essaim/dav/davxml"
	"essaim.coop/essaim/storage"
	"essaim.coop/essaim/storage/blob"
)

// A Tree is everything below one URL prefix. The engine decodes and checks the
// path, runs the transaction, evaluates preconditions, privileges and locks in
// it, and writes the answer; the tree finds resources and changes them.
//
// What a method means for a resource is said by the small interfaces below, and
// only by them: Allow, DAV, supported-report-set and 405 follow from what the
// value implements. The values of one Kind must all have one type.
type Tree interface {
	// Resolve returns the resource of a path below the prefix, whose segments
	// are decoded, not empty, and never "." or ".."; no segments are the root.
	// storage.ErrNotFound when there is none, or none the user may know of.
	Resolve(s *Scope, path []string) (Resource, error)
}

// A Scope is one transaction of one request. It is not valid after the function
// it was given to returned.
type Scope struct {
	Tx   *storage.Tx
	User storage.AccountID // who asks
	// Identities are the user and the groups they are in, whose rights they have.
	Identities []storage.AccountID
	Now        time.Time
	Header     http.Header // of the request
	// Answer are header fields for the answer of a method that changes something,
	// when it succeeds.
	Answer http.Header

	x       *Exchange
	here    []byte // the href of the resource whose properties are being written
	stat    Stat   // and its Stat, once a property has asked
	stated  bool
	held    held
	lockful lockful
}

// A Resource is what a URL names, as one transaction saw it.
//
// It carries what it answers by value: Kind, Stat, Owner, Content, Receive and
// Property.Late are also used after the transaction has ended.
type Resource interface {
	Kind() *Kind
	Stat() Stat
	// Owner is whose quota the resource counts against; 0 is the cooperative.
	Owner() storage.AccountID
	// Allowed returns what the user of the scope may do here.
	Allowed(s *Scope) Privileges
}

// A Stat is what HTTP and the live properties of RFC 4918 §15 say of a resource.
type Stat struct {
	// ETag is the strong entity tag without quotes, of printable ASCII, "" for
	// none. It changes whenever the bytes of a GET change, never otherwise.
	ETag     string
	Size     int64     // bytes of a GET, -1 when not known
	Type     string    // media type with parameters
	Modified time.Time // zero: unknown
	Created  time.Time // zero: unknown
	Display  string    // DAV:displayname where the tree does not say it otherwise
}

// A Canonical resource, or the collection it is to be made in, can be reached
// under more than one path. Locks are held on the canonical one: a path from the
// root of the server as Path makes it, which is a URL for the owner.
type Canonical interface {
	CanonicalPath() string
}

// A Collection has members (RFC 4918 §5.2).
type Collection interface {
	Resource
	// Members calls fn with the members that follow the name after, "" being
	// before the first, in a fixed order until fn returns false. The member
	// called after may be gone by then.
	Members(s *Scope, after string, fn func(name string, r Resource) bool) error
}

// A Reader has bytes to GET.
type Reader interface {
	// Content opens them, outside any transaction. Ranges are served when it
	// is an io.Seeker too and Stat.Size is known. storage.ErrNotFound when they
	// are gone since: the engine looks again.
	Content(db *storage.DB) (io.ReadCloser, error)
}

// A Headed resource says more about itself in the header of an answer to GET.
type Headed interface {
	Head(h http.Header)
}

// A Conditional resource has conditions of requests that are its own. They are
// evaluated with the others, on every method; the error is the answer when one does
// not hold.
type Conditional interface {
	Condition(h http.Header) error
}

// A Negotiator has more than one representation. Its answers vary by Accept.
type Negotiator interface {
	// Negotiate returns what to answer a GET with, a Reader; its entity tag
	// differs from that of the others (RFC 9110 §8.8.3.1), unless a standard
	// gives the resource one for all (RFC 6352 §6.3.2.3).
	// A StatusError of 406 when nothing fits.
	Negotiate(accept string) (Resource, error)
}

// A Writer is a collection that takes PUTs.
type Writer interface {
	Collection
	// Receive looks at a complete body outside any transaction, in the state
	// that was found before the body was read. It may parse, leave what it
	// found in Upload.Parsed and replace Upload.Body.
	Receive(up *Upload) error
	// Write makes the member name of the upload, or replaces it when old is not
	// nil. Preconditions, locks and privileges have been looked at, in this
	// transaction.
	Write(s *Scope, name string, old Resource, up *Upload) (Resource, error)
}

// A Roomy collection frees some of what its owner has used, such as trash, when
// a write needs the room.
type Roomy interface {
	// Freeable is about how many bytes.
	Freeable(s *Scope) int64
}

// An Upload is the body of a PUT, or the empty one of a LOCK that makes a
// resource.
type Upload struct {
	User   storage.AccountID
	Name   string // the last segment of the path
	Now    time.Time
	Header http.Header // of the request
	Type   string      // media type with parameters, "" when not given
	Body   *blob.Staged
	Parsed any // for Write, from Receive
	// Altered says that a GET will not give back the bytes that were sent: the
	// answer then has no ETag (RFC 9110 §9.3.4).
	Altered bool
	// Answer are header fields for the answer to a PUT that succeeded.
	Answer http.Header

	db    *storage.DB
	after []func(committed bool)
}

// DB is the store, for what Receive has to look at.
func (u *Upload) DB() *storage.DB { return u.db }

// Stage starts a body to attach beside or in place of Body.
func (u *Upload) Stage() *blob.Writer { return u.db.Stage() }

// Finally has fn called once the outcome is known, outside any transaction;
// the last first.
func (u *Upload) Finally(fn func(committed bool)) { u.after = append(u.after, fn) }

// An Annotated resource takes PUTs also from who may not change it but keep
// something of their own with it. Write tells the one from the other, and asks
// Scope.Require before it changes what is everybody's.
type Annotated interface {
	Annotates(s *Scope) bool
}

// A Weighty resource knows about how many bytes its late properties are made of
// where Stat.Size does not say it.
type Weighty interface {
	Weight() int64
}

// A Maker is a collection that takes MKCOL (RFC 4918 §9.3, RFC 5689), and
// MKCALENDAR where its Kind says so.
type Maker interface {
	Collection
	// Make makes the member collection name. types are the resource types asked
	// for besides DAV:collection; those it cannot make are Forbidden with
	// DAV:valid-resourcetype. The properties of the request are set afterwards,
	// in the same transaction.
	Make(s *Scope, name string, types []davxml.Name) (Resource, error)
}

// A Deleter is a collection that takes DELETEs of its members.
type Deleter interface {
	Collection
	// Delete removes a member with everything below it.
	Delete(s *Scope, name string, r Resource) error
}

// A Finisher is a Deleter whose Delete leaves work for more transactions, out of
// sight. Finish does some of it before the answer; what it leaves is not lost.
type Finisher interface {
	Deleter
	Finish(x *Exchange)
}

// A Carrier is a collection into which COPY and MOVE carry (RFC 4918 §9.8, 9.9).
type Carrier interface {
	Collection
	Copy(s *Scope, c Carriage) (Resource, error)
	Move(s *Scope, c Carriage) (Resource, error)
}

// A Carriage is a COPY or MOVE. Source and destination are of one tree, and
// neither is below the other.
type Carriage struct {
	Source   Resource
	From     Collection // of which Source is the member FromName
	FromName string
	Name     string   // the member that is made of the collection carried into
	Old      Resource // which it takes the place of, or nil
	Shallow  bool     // COPY with Depth 0: without the members
	Prepared any      // by a Preparer
}

// A Preparer is a Carrier into which can be carried what is too much for one
// transaction: it does the work in several, out of sight, and Copy or Move gives
// it its place.
type Preparer interface {
	Carrier
	// Prepare is called outside any transaction, once everything that can forbid
	// the method has been looked at, which will be done again. discard is called
	// when nothing came of it.
	Prepare(x *Exchange, c Carriage, move bool) (prepared any, discard func(), err error)
}

// A Syncer is a collection that answers sync-collection (RFC 6578).
type Syncer interface {
	Collection
	// SyncCollection is whose change log tells what happened here.
	SyncCollection() storage.CollectionID
	// Sync calls fn with what a reader at t has to learn of the members, about
	// limit of them, as storage.Tx.Sync gives it: each with its path below this
	// collection, one segment but when infinite. A member that is gone has a nil
	// Resource. It returns where to go on, and whether there is more now.
	// storage.ErrFloor when the log does not reach back; Forbidden with
	// DAV:sync-traversal-supported when infinite is not.
	Sync(s *Scope, t storage.SyncToken, limit int, infinite bool, fn func(path []string, r Resource)) (next storage.SyncToken, more bool, err error)
}

// A Sharer has an access control list (RFC 3744) over the store's own entries;
// see PrivilegesOf for what they mean.
type Sharer interface {
	// ACL returns the entries on the resource itself.
	ACL(s *Scope) []storage.ACE
	// SetACL replaces them.
	SetACL(s *Scope, acl []storage.ACE) error
}

// A Searcher answers DASL basicsearch (RFC 5323) on what is below it.
type Searcher interface {
	Collection
	// Search calls fn with what matches, in the order asked for, each with its
	// path below the collection. It looks at a bounded number of members and
	// returns where to go on, in another transaction: nil at first and in the
	// end. After fn has returned false it goes on with the next one. What it
	// cannot ask for is Forbidden with DAV:search-grammar-supported.
	Search(s *Scope, q *Query, from any, fn func(path []string, r Resource) bool) (next any, err error)
}

// A Poster answers POST.
type Poster interface {
	// Post answers. It runs outside any transaction; x opens them.
	Post(x *Exchange) error
}

// A Holder keeps properties in the store: dead ones (RFC 4918 §4), and those of
// the registry that have no Get of their own.
type Holder interface {
	// Object is what they are kept with. One of no collection and no item holds
	// nothing after all.
	Object() storage.Object
	// Touch notes in the change log that shared properties have changed.
	Touch(s *Scope) error
}
