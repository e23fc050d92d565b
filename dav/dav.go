// Package dav is the WebDAV engine: one for files, calendars and address books.
//
// What it promises: a method happens entirely or not at all, in one transaction
// in which its preconditions, the user's privileges and the locks are looked at
// too, so that of many conditional writes one wins. An answer of success leaves
// when what it says is durable. A body is stored only when it is complete. An
// answer of any length takes constant memory, and no transaction is open while
// anything is read from or written to the network. What is advertised for a
// path (Allow, DAV, supported-report-set) is what works there.
//
// Trees (see Tree) say what there is; the engine speaks HTTP for them.
package dav
