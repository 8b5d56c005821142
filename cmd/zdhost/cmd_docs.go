package main

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// newDocs writes the reference page of the command line from the commands themselves.
func newDocs(*session) *cobra.Command {
	return &cobra.Command{
		Use:    "_docs DIR",
		Short:  "write the reference page of the command line",
		Hidden: true,
		Args:   arguments(1, 1, "one directory"),
		RunE: func(cmd *cobra.Command, args []string) error {
			path := filepath.Join(args[0], "cli.md")
			file, err := os.Create(path)
			if err != nil {
				return fmt.Errorf("cannot write %s: %w", path, err)
			}
			writeReference(file, cmd.Root())
			return file.Close()
		},
	}
}

const referenceHead = `# Command line

This page is generated from the commands' own help (` + "`zdhost _docs DIR`" + `).

What a verb prints for use goes to standard output; progress, errors and logs go to standard error.
An error is one line, "cannot ‹verb› ‹object›: cause", with a ` + "`hint:`" + ` line under it where one helps.
With ` + "`--json`" + ` a verb prints one JSON value, or, where lines follow one another, one a line.

| Exit code | Meaning |
|---|---|
| 0 | done |
| 1 | failed |
| 2 | wrong usage or configuration, or no such service |
| 3 | denied by policy |
| 4 | rolled back or aborted: what ran before serves |
| 5 | held or pending: waits for someone |
| 6 | timed out |
| 7 | no host answers |

The host that a verb speaks to is the one of ` + "`--state-dir`" + `, else of ` + "`$ZDHOST_STATE_DIR`" + `, else of the
configuration found in the working directory, else of ` + "`./.zdhost`" + `.
`

func writeReference(w io.Writer, root *cobra.Command) {
	fmt.Fprint(w, referenceHead)
	writeCommand(w, root)
	fmt.Fprintf(w, "\n## Flags of every verb\n\n")
	writeFlags(w, root.PersistentFlags())
}

// writeCommand writes the runnable commands below a command, in the order of its help.
func writeCommand(w io.Writer, parent *cobra.Command) {
	for _, cmd := range parent.Commands() {
		switch {
		case cmd.Hidden || cmd.Name() == "help":
		case cmd.HasSubCommands() && cmd.Name() != "completion":
			writeCommand(w, cmd)
		default:
			writeVerb(w, cmd)
		}
	}
}

func writeVerb(w io.Writer, cmd *cobra.Command) {
	fmt.Fprintf(w, "\n## %s\n\n", cmd.CommandPath())
	if cmd.Name() == "completion" {
		fmt.Fprintf(w, "Prints a completion script for bash, zsh, fish or powershell:\n\n    source <(zdhost completion bash)\n")
		return
	}
	fmt.Fprintf(w, "    %s\n\n%s\n", cmd.UseLine(), strings.TrimSpace(cmd.Long))
	if cmd.Example != "" {
		fmt.Fprintf(w, "\nExample:\n\n")
		for line := range strings.Lines(cmd.Example) {
			fmt.Fprintf(w, "  %s\n", strings.TrimRight(line, "\n"))
		}
	}
	if cmd.LocalFlags().HasAvailableFlags() {
		fmt.Fprintln(w)
		writeFlags(w, cmd.LocalFlags())
	}
}

func writeFlags(w io.Writer, flags *pflag.FlagSet) {
	fmt.Fprintf(w, "| Flag | Meaning |\n|---|---|\n")
	flags.VisitAll(func(flag *pflag.Flag) {
		if flag.Hidden || flag.Name == "help" {
			return
		}
		value, meaning := pflag.UnquoteUsage(flag)
		name := "--" + flag.Name
		if flag.Shorthand != "" {
			name = "-" + flag.Shorthand + ", " + name
		}
		if value != "" {
			name += " " + value
		}
		fmt.Fprintf(w, "| `%s` | %s |\n", name, strings.ReplaceAll(meaning, "|", `\|`))
	})
}
