// Package dav is the WebDAV engine: one for files, calendars and address books.
//
// What it promises: a method happens entirely or not at all, in one transaction
// in which its preconditions, the user's privileges and the locks are looked at
// too, so that of many conditional writes one wins. An answer of success leaves
// when what it says is durable. A body is stored only when it is complete. An
// answer of any length takes constant memory, the bodies of all requests together
// no more than Options.Memory, and no transaction is open while anything is read
// from or written to the network. Nor is one open for as long as a large tree
// takes: who asks about a million files is answered in steps, which stand still
// half of the time for the others and end when the client goes away. Of what
// walks through a whole tree (SEARCH, COPY of a folder) a user has one at a time.
// What is advertised for a path (Allow, DAV, supported-report-set) is what works
// there.
//
// Trees (see Tree) say what there is; the engine speaks HTTP for them. To read
// the source, begin with tree.go; then serve.go, and a method: put.go has all
// that a change goes through, propfind.go and multistatus.go how answers are
// written.
//
// RFCs:
//
//	4918  WebDAV, classes 1, 2 and 3: done. COPY, MOVE and DELETE are all or
//	      nothing and so never a 207; a failed one names what stood in its way.
//	9110  conditional requests and ranges: done; PUT with Content-Range is refused.
//	3253  REPORT and expand-property (§3.6, 3.8): done; versioning: refused.
//	3744  access control: done, as far as the store's entries go: they grant, to
//	      users and groups. DAV:principal-match looks at members, not below them.
//	4331  quota: done; it is the household's.
//	5323  basicsearch: done but for what a Searcher declines; no schema discovery.
//	5397, 5689  current-user-principal, extended MKCOL: done.
//	6578  sync-collection: done.
//	7240, 8144  Prefer: return=minimal (also as Brief) and depth-noroot: done;
//	      return=representation: not, as RFC 7240 allows.
//	4791, 6352, 6638  not here: MKCALENDAR is, and hooks for the rest.
//	6764  /.well-known: done.
//	3648, 5842  ordering and bindings: refused.
package dav
