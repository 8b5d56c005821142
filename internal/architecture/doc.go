// Package architecture holds the repository to its shape. It has tests only.
//
// It owns the rules that no single package can check: who may import whom and
// why (imports_test.go), where a dependency is at home and which decision record
// answers for it (dependencies_test.go), how files are named and how long they
// get (files_test.go), whether the pages of docs hang together (docs_test.go),
// and the reference pages that are generated from more than one package's source
// (reference_test.go; UPDATE_GOLDEN=1 writes them).
//
// It refuses exceptions: a rule that must not hold everywhere says where it holds,
// in its table, with the reason.
//
// It fails where the go command or a source can't be read, and needs both: the
// tests run inside the module.
package architecture
