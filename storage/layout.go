package storage

// SchemaVersion is the layout that this program writes.
const SchemaVersion = 1

// steps lead to SchemaVersion from the oldest layout that this program still
// opens, each to the next. Until a version is released there is no older one.
var steps []step
