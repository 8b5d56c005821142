// Command loadgen runs the load generator by hand and prints its result as JSON. It exits with status 1 if a client
// saw a failure or the execution log doesn't fit, and 2 if it was called wrongly. SIGINT ends the run early.
//
//	loadgen -address 127.0.0.1:8080 -mode kept -clients 32 -think 2ms -for 10s
package main

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"

	"github.com/zdhost/zdhost/bench/load"
)

// report is what loadgen prints.
type report struct {
	load.Result
	Executions *load.Verdict `json:"executions,omitempty"`
}

func main() {
	o, length, log := options()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	passed, err := run(ctx, o, length, log)
	switch {
	case err != nil:
		fmt.Fprintln(os.Stderr, err)
		os.Exit(2)
	case !passed:
		os.Exit(1)
	}
}

// options reads the command line.
func options() (o load.Options, length time.Duration, log string) {
	var modes []string
	for _, m := range load.Modes() {
		modes = append(modes, string(m))
	}
	flag.StringVar(&o.Network, "network", "tcp", "tcp or unix")
	flag.StringVar(&o.Address, "address", "127.0.0.1:8080", "host:port, or the path of a unix socket")
	flag.StringVar((*string)(&o.Mode), "mode", string(load.NewConn), "one of "+strings.Join(modes, ", "))
	flag.StringVar(&o.Path, "path", "", "request target (default: the mode's)")
	flag.StringVar(&o.Name, "name", "", "beginning of the clients' names (default: random)")
	flag.IntVar(&o.Clients, "clients", 16, "clients at once")
	flag.IntVar(&o.Exchanges, "exchanges", 0, "end after that many rounds (default: -for alone)")
	flag.IntVar(&o.Parts, "parts", 4, "pieces of a slow thing")
	flag.IntVar(&o.BodySize, "body-size", 0, "least size of a POST's body in bytes")
	flag.DurationVar(&o.Think, "think", 0, "mean pause between two rounds of a client")
	flag.DurationVar(&o.Hold, "hold", time.Second, "length of a slow thing")
	flag.DurationVar(&o.Timeout, "timeout", 10*time.Second, "when a request counts as hung")
	flag.DurationVar(&o.Pause, "pause", 10*time.Millisecond, "pause after a failed round")
	flag.BoolVar(&o.Blind, "blind", false, "write on kept connections without looking first")
	flag.IntVar(&o.KeepFailures, "failures", 100, "failures to print")
	flag.DurationVar(&length, "for", 10*time.Second, "length of the run; 0: until interrupted")
	flag.StringVar(&log, "execution-log", "", "log of the servers to check numbered POSTs against")
	flag.Parse()
	return o, length, log
}

// run runs the load and prints what it saw.
func run(ctx context.Context, o load.Options, length time.Duration, log string) (passed bool, err error) {
	if length > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, length)
		defer cancel()
	}
	if log != "" {
		o.Checker = load.NewChecker(log)
	}
	result, err := load.Run(ctx, o)
	if err != nil {
		return false, err
	}
	printed := report{Result: result}
	passed = result.Failed == 0
	if o.Checker != nil {
		verdict, err := verify(o.Checker)
		if err != nil {
			return false, err
		}
		printed.Executions = &verdict
		passed = passed && verdict.Err() == nil
	}
	out := json.NewEncoder(os.Stdout)
	out.SetIndent("", "  ")
	return passed, out.Encode(printed)
}

// verify gives the servers a second to write what they have executed.
func verify(c *load.Checker) (load.Verdict, error) {
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	return c.Verify(ctx)
}
