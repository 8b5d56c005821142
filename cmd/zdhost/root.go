package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"
	"syscall"

	"github.com/spf13/cobra"
)

// execute runs the command line and returns the process's exit code.
func execute(args []string) int {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	return executeIn(ctx, args, os.Stdin, os.Stdout, os.Stderr)
}

func executeIn(ctx context.Context, args []string, stdin io.Reader, stdout, stderr io.Writer) int {
	s := &session{in: stdin, out: stdout, err: stderr}
	root := newRoot(s)
	root.SetArgs(args)
	root.SetIn(stdin)
	root.SetOut(stdout)
	root.SetErr(stderr)
	err := root.ExecuteContext(ctx)
	report(stderr, err)
	return exitCode(err)
}

// newRoot builds the command tree. Nothing runs until it is executed.
func newRoot(s *session) *cobra.Command {
	root := &cobra.Command{
		Use:   "zdhost",
		Short: "keep services answering while everything about them changes",
		Long: `zdhost keeps a service answering while everything about it changes: its binary, its
configuration, and zdhost itself. Sockets and processes outlive every version of everything.`,
		Example: `  zdhost run -- ./shop --listen :8080
  zdhost upgrade shop -- ./shop-v2 --listen :8080
  zdhost rollback shop`,
		SilenceErrors: true,
		SilenceUsage:  true,
	}
	group(root)
	root.PersistentFlags().StringVar(&s.stateDirFlag, "state-dir", "",
		"`directory` of the host to speak to (default: $ZDHOST_STATE_DIR, the configuration's state_dir, ./.zdhost)")
	root.SetFlagErrorFunc(func(cmd *cobra.Command, err error) error {
		return usage("run "+cmd.CommandPath(), err, cmd.CommandPath()+" --help shows its flags")
	})
	root.AddCommand(
		newRun(s), newStatus(s), newUpgrade(s), newRollback(s), newRestart(s), newReload(s),
		newRollout(s), newHistory(s), newLogs(s), newCheck(s), newRelease(s), newDoctor(s), newDemo(s), newVersion(s),
		newDocs(s), newDoctorProbe(s), newDemoServer(),
	)
	root.InitDefaultCompletionCmd()
	for _, cmd := range root.Commands() {
		if cmd.Name() == "completion" {
			cmd.Example = "  source <(zdhost completion bash)\n  zdhost completion fish > ~/.config/fish/completions/zdhost.fish"
		}
	}
	return root
}

// group makes a command that only has verbs under it: alone it shows its help, and an unknown verb
// is an error with the nearest known one.
func group(cmd *cobra.Command) {
	cmd.SuggestionsMinimumDistance = 2
	cmd.RunE = func(cmd *cobra.Command, _ []string) error { return cmd.Help() }
	cmd.Args = func(cmd *cobra.Command, args []string) error {
		if len(args) == 0 {
			return nil
		}
		hint := cmd.CommandPath() + " --help lists the verbs"
		if near := cmd.SuggestionsFor(args[0]); len(near) > 0 {
			hint = fmt.Sprintf("did you mean %s %s?", cmd.CommandPath(), strings.Join(near, " or "))
		}
		return usage("run "+cmd.CommandPath(), fmt.Errorf("there is no verb %q", args[0]), hint)
	}
}

// arguments checks how many arguments a verb gets; names are shown in the error.
func arguments(least, most int, names string) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		n := len(args)
		if dash := cmd.ArgsLenAtDash(); dash >= 0 {
			n = dash
		}
		var cause error
		switch {
		case n < least:
			cause = fmt.Errorf("it needs %s", names)
		case n > most && most == 0:
			cause = fmt.Errorf("it takes no argument, not %q", args[0])
		case n > most:
			cause = fmt.Errorf("%q is one argument too many: it takes %s", args[most], names)
		default:
			return nil
		}
		return usage("run "+cmd.CommandPath(), cause, cmd.CommandPath()+" --help shows an example")
	}
}
