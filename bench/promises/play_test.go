package promises

import (
	"fmt"
	"net/http"
	"os"
)

// roleVariable makes this test's own binary a program under zdhost.
const roleVariable = "ZDHOST_PROMISES_ROLE"

// play is the program's main; it returns the exit code.
func play(role string) int {
	var err error
	switch role {
	case "diarist":
		err = keepDiary()
	default:
		err = fmt.Errorf("cannot play %q", role)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return 0
}

// keepDiary is a server that notes every request as "RELEASE PATH", and that is not ready until a file is there.
func keepDiary() error {
	release, door := os.Getenv("RELEASE"), os.Getenv("DOOR")
	diary, err := os.OpenFile(os.Getenv("DIARY"), os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o666)
	if err != nil {
		return err
	}
	return http.ListenAndServe(os.Getenv("ADDRESS"), http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprintf(diary, "%s %s\n", release, r.URL.Path)
		w.Header().Set("X-Release", release)
		if _, err := os.Stat(door); r.URL.Path == "/ready" && err != nil {
			http.Error(w, "not yet", http.StatusServiceUnavailable)
			return
		}
		fmt.Fprintln(w, release)
	}))
}
