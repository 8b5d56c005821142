// Package policy is the question that is put before every change, and its
// answer.
//
// It owns the words: [Gate], [Input], [Verdict]. It refuses to know what the
// policies are or how they are evaluated. A denied change is a verdict, not an
// error; a gate that can't be evaluated returns an error, which its caller takes
// for a no where a move goes forward.
//
// Until policies are configured the gate is [Open]: it allows everything and says
// so in its verdict, which is recorded like any other.
package policy
