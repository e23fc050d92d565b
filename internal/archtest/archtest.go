// Package archtest keeps the stairs rule: a room of the house looks only down.
//
// The rule lives in one table, rules; each line carries the reason that is
// printed when a test finds an import going up or across. To change the stairs,
// change the line and its reason in the same commit. docs/design.md draws them.
package archtest
