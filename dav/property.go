package dav

import (
	"essaim.coop/essaim/dav/davxml"
	"essaim.coop/essaim/storage"
)

// A Kind is what resources have in common: the registry of their properties and
// reports. Kinds are built before the engine serves and never changed after.
type Kind struct {
	Name       string        // for logs
	Collection bool          // DAV:collection; its URLs end in a slash
	Types      []davxml.Name // DAV:resourcetype besides DAV:collection
	Features   []string      // tokens of the DAV header besides the engine's own
	Privileges Privileges    // those that mean something here
	Lockable   bool          // class 2 (RFC 4918 §18.2)
	MaxBody    int64         // of a PUT into such a collection; 0 is the engine's limit
	Unsummed   bool          // PUTs of large bodies get no sum; see blob.Writer.SumSmall
	MkCalendar bool          // a Maker that also answers MKCALENDAR (RFC 4791 §5.3.1)
	// Infinite is whether PROPFIND may go down to everything below.
	Infinite bool

	props   map[davxml.Name]*Property
	order   []*Property
	reports []*Report
}

// A Property is a live property, or a dead one that is treated specially.
type Property struct {
	Name davxml.Name
	// All puts it into DAV:allprop.
	All bool
	// Get writes the value into w, without the property's own element;
	// storage.ErrNotFound when the resource has none, storage.ErrPermission when
	// the user may not read it. Without Get and Late the value is held.
	Get func(s *Scope, r Resource, w *davxml.Writer) error
	// Late is Get for a value that costs I/O: it is called after the
	// transaction, when the answer is written.
	Late func(db *storage.DB, r Resource, w *davxml.Writer) error
	// Set changes it, or removes it when value is nil. A nil Set protects the
	// property, but for one without Get and Late: that is held.
	Set func(s *Scope, r Resource, value *davxml.Element) error
	// Check looks at a value before it is held.
	Check func(value *davxml.Element) error
	// Initial: it can be set only while the resource is being made.
	Initial bool
	// Personal: each user has a value of their own, and needs no privilege
	// beyond DAV:read to set it.
	Personal bool
	// Needs are the privileges to read it; none given is DAV:read.
	Needs Privileges
}

// held reports whether the value is kept by the Holder.
func (p *Property) held() bool { return p.Get == nil && p.Late == nil }

// protected reports whether PROPPATCH must refuse it (RFC 4918 §15).
func (p *Property) protected() bool { return p.Set == nil && !p.held() }

// Live returns one of the engine's own properties, for a kind that adds to what
// it can do.
func Live(n davxml.Name) Property { return *live.props[n] }

// A Report answers REPORT requests with a body of its name.
type Report struct {
	Name davxml.Name
	// Needs are the privileges to ask for it; none given is DAV:read. A question
	// about what is there tells of it, even when the answer does not.
	Needs Privileges
	// Run answers. It is called outside any transaction, after the user was
	// found to have what it needs; x opens transactions.
	Run func(x *Exchange, body *davxml.Element) error
}

// Add registers properties; a later one of the same name takes the place of an
// earlier, the engine's own included. It returns k.
func (k *Kind) Add(props ...Property) *Kind {
	if k.props == nil {
		k.props = map[davxml.Name]*Property{}
	}
	for _, p := range props {
		if old := k.props[p.Name]; old != nil {
			*old = p
			continue
		}
		k.props[p.Name] = &p
		k.order = append(k.order, &p)
	}
	return k
}

// AddReport registers reports. It returns k.
func (k *Kind) AddReport(reports ...Report) *Kind {
	for _, r := range reports {
		k.reports = append(k.reports, &r)
	}
	return k
}
