package main

import (
	"context"
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/zdhost/zdhost/host/config"
	"github.com/zdhost/zdhost/host/control"
)

func newCheck(s *session) *cobra.Command {
	var file string
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "check [-c FILE]",
		Short: "everything that can be known without running: syntax, schema, programs, addresses",
		Long: `Reads the configuration as zdhost run would, and looks at the machine: whether releases and programs
are there, addresses are ours and free, and users exist. Every mistake is named with its file, its line
and the nearest right thing, and ends with exit code 2. Nothing is changed.`,
		Example: `  zdhost check
  zdhost check -c /etc/zdhost/zdhost.hcl
  zdhost check --json | jq .problems`,
		Args: arguments(0, 0, "no argument"),
		RunE: func(cmd *cobra.Command, _ []string) error {
			return s.check(cmd.Context(), file, asJSON)
		},
	}
	cmd.Flags().StringVarP(&file, "config", "c", "", "configuration `file`")
	cmd.Flags().BoolVar(&asJSON, "json", false, "print what was found as one JSON object")
	return cmd
}

// checked is what check prints with --json.
type checked struct {
	File      string    `json:"file"`
	OK        bool      `json:"ok"`
	Services  int       `json:"services"`
	Listeners int       `json:"listeners"`
	Problems  []problem `json:"problems"`
}

type problem struct {
	File    string `json:"file,omitempty"`
	Line    int    `json:"line,omitempty"`
	Column  int    `json:"column,omitempty"`
	Path    string `json:"path,omitempty"` // dotted, of the key or block
	Message string `json:"message"`
	Hint    string `json:"hint,omitempty"`
}

func (s *session) check(ctx context.Context, file string, asJSON bool) error {
	path, err := findConfiguration(file)
	if err != nil {
		return err
	}
	c, err := config.Load(ctx, path)
	if err == nil {
		if problems := c.CheckMachine(ctx, s.heldBy(ctx, c.StateDir)); len(problems) > 0 {
			err = &config.Error{Problems: problems}
		}
	}
	if asJSON {
		return errors.Join(s.json(found(path, c, err)), err)
	}
	if err == nil {
		_, err = fmt.Fprintf(s.out, "%s: ok: %d services, %d listeners\n", path, len(c.Services), len(c.Listeners))
	}
	return err
}

// found sums a check up; c is nil where the file could not be read.
func found(path string, c *config.Config, err error) checked {
	result := checked{File: path, OK: err == nil, Problems: []problem{}}
	if c != nil {
		result.Services, result.Listeners = len(c.Services), len(c.Listeners)
	}
	var wrong *config.Error
	if !errors.As(err, &wrong) {
		if err != nil {
			result.Problems = append(result.Problems, problem{Message: err.Error()})
		}
		return result
	}
	for _, p := range wrong.Problems {
		result.Problems = append(result.Problems, problem{p.Pos.File, p.Pos.Line, p.Pos.Column, p.Path, p.Message, p.Hint})
	}
	return result
}

// heldBy returns the addresses that the host of a state directory holds, if one runs.
func (s *session) heldBy(ctx context.Context, stateDir string) []string {
	ctx, cancel := context.WithTimeout(ctx, completionTime)
	defer cancel()
	client, err := control.Dial(ctx, stateDir)
	if err != nil {
		return nil
	}
	defer client.Close()
	status, err := client.Status(ctx)
	if err != nil {
		return nil
	}
	var held []string
	for _, listener := range status.Listeners {
		held = append(held, listener.Address)
	}
	return held
}
