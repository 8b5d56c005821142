package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/zdhost/zdhost/host/control"
)

func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){"zdhost": func() { os.Exit(execute(os.Args[1:])) }})
}

// TestScripts runs the command line as its users do, against a real control server with a scripted
// host behind it at $ZDHOST_STATE_DIR.
func TestScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir:                 "testdata/script",
		RequireExplicitExec: true,
		RequireUniqueNames:  true,
		UpdateScripts:       os.Getenv("UPDATE") != "",
		Setup:               serveScriptedHost,
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"waitfor":  waitForFile,
			"exitcode": exitCodeOf,
		},
	})
}

func serveScriptedHost(env *testscript.Env) error {
	dir, stop, err := serveIn(env.WorkDir)
	if err != nil {
		return err
	}
	env.Defer(stop)
	env.Setenv("ZDHOST_STATE_DIR", dir)
	env.Setenv("TZ", "UTC")
	return nil
}

// serveIn serves a scripted host with its state directory in dir until stop is called.
func serveIn(dir string) (stateDir string, stop func(), err error) {
	stateDir = filepath.Join(dir, "state")
	if err := os.Mkdir(stateDir, 0o700); err != nil {
		return "", nil, err
	}
	listener, err := control.Listen(stateDir, "", nil)
	if err != nil {
		return "", nil, err
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	server := control.NewServer(&scriptedHost{dir: dir}, control.ServerOptions{})
	go func() { ended <- server.Serve(ctx, listener) }()
	return stateDir, func() { cancel(); <-ended }, nil
}

// waitForFile waits until a file is there: "waitfor FILE".
func waitForFile(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: waitfor FILE")
	}
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	found := fmt.Errorf("found")
	err := every(ctx, 10*time.Millisecond, func() error {
		if _, err := os.Stat(ts.MkAbs(args[0])); err == nil {
			return found
		}
		return nil
	})
	if err != found {
		ts.Fatalf("%s did not appear", args[0])
	}
}

// exitCodeOf runs the command line in a process and compares its exit code: "exitcode N|M… ARG…".
func exitCodeOf(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 1 {
		ts.Fatalf("usage: exitcode N ARG…")
	}
	err := ts.Exec("zdhost", args[1:]...)
	got := 0
	if exit, ok := err.(interface{ ExitCode() int }); ok {
		got = exit.ExitCode()
	} else if err != nil {
		ts.Fatalf("%v", err)
	}
	if !slices.Contains(strings.Split(args[0], "|"), fmt.Sprint(got)) {
		ts.Fatalf("zdhost %v ended with %d, not %s", args[1:], got, args[0])
	}
}
