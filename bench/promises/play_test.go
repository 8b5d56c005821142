package promises

import (
	"fmt"
	"os"
)

// roleVariable makes this test's own binary a program under zdhost.
const roleVariable = "ZDHOST_PROMISES_ROLE"

// roles are the programs that it can be.
var roles = map[string]func() error{}

// play is the program's main; it returns the exit code.
func play(role string) int {
	f := roles[role]
	if f == nil {
		fmt.Fprintf(os.Stderr, "cannot play %q\n", role)
		return 1
	}
	if err := f(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return 0
}
