package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"

	"github.com/mattn/go-isatty"

	"github.com/zdhost/zdhost/host"
	"github.com/zdhost/zdhost/host/config"
	"github.com/zdhost/zdhost/host/keeper"
	"github.com/zdhost/zdhost/pluginapi"
	"github.com/zdhost/zdhost/plugins/strategies/bluegreen"
)

// The first arguments of the processes that zdhost starts itself.
const (
	keeperProcess = "_keeper"
	hostProcess   = "_host"
	launchProcess = "_launch"
)

var processes = map[string]func(args []string) int{
	keeperProcess: runKeeper,
	hostProcess:   runHost,
	launchProcess: func([]string) int { return keeper.Launch() },
}

// hostOptions are what the keeper passes on to every host that it starts.
type hostOptions struct {
	Config   string   `json:"config,omitempty"`
	StateDir string   `json:"state_dir,omitempty"`
	Name     string   `json:"name,omitempty"`
	Command  []string `json:"command,omitempty"`
	// Kept is the state directory where the accepted configuration is.
	Kept string `json:"kept,omitempty"`
}

func (o hostOptions) overrides() []config.Override {
	if o.StateDir == "" {
		return nil
	}
	return []config.Override{{Key: "state_dir", Value: o.StateDir}}
}

// load reads the configuration that the options name.
func (o hostOptions) load(ctx context.Context) (*config.Config, error) {
	overrides := o.overrides()
	if len(o.Command) > 0 {
		return config.FromCommand(o.Name, o.Command, overrides...)
	}
	return config.Load(ctx, o.Config, overrides...)
}

// resume is the configuration that an earlier host has accepted. The file, which
// may say anything by now, is read where that is lost.
func (o hostOptions) resume(ctx context.Context) (*config.Config, error) {
	if len(o.Command) == 0 && o.Kept != "" {
		c, err := host.Accepted(ctx, o.Kept, o.overrides()...)
		if err == nil {
			return c, nil
		}
		fmt.Fprintln(os.Stderr, "zdhost: the configuration file is read:", err)
	}
	return o.load(ctx)
}

// runKeeper is the keeper, with the options that `zdhost run` has put together.
func runKeeper(args []string) int {
	var o keeper.Options
	if len(args) != 1 || json.Unmarshal([]byte(args[0]), &o) != nil {
		fmt.Fprintln(os.Stderr, "zdhost: the keeper is started by zdhost run only")
		return exitUsage
	}
	code, err := keeper.New(o, logger("auto", slog.LevelInfo)).Run(context.Background())
	if err != nil {
		fmt.Fprintln(os.Stderr, "zdhost:", err)
	}
	return code
}

// runHost is the host, at the other end of the keeper's link.
func runHost(args []string) int {
	var o hostOptions
	if len(args) != 1 || json.Unmarshal([]byte(args[0]), &o) != nil {
		fmt.Fprintln(os.Stderr, "zdhost: the host is started by the keeper only")
		return exitUsage
	}
	ctx := context.Background()
	link, err := keeper.NewClient(keeper.LinkFD)
	if err != nil {
		fmt.Fprintln(os.Stderr, "zdhost: the host is started by the keeper only:", err)
		return exitUsage
	}
	go func() { _ = link.Run() }()
	welcome, err := link.Hello(ctx)
	if err != nil {
		fmt.Fprintln(os.Stderr, "zdhost: the keeper doesn't answer:", err)
		return exitFailed
	}
	load := o.load
	if host.Restarted(welcome) {
		load = o.resume
	}
	cfg, err := load(ctx)
	if err != nil {
		fmt.Fprintln(os.Stderr, "zdhost:", err)
		return exitUsage
	}
	log := logger(cfg.Log.Format, level(cfg.Log.Level))
	options := host.Options{
		Config: cfg, Welcome: welcome, RunDir: cfg.RunDir, Version: version(), FailFast: len(o.Command) > 0, Log: log,
		Strategies: map[string]pluginapi.Strategy{"bluegreen": bluegreen.Strategy{}},
	}
	if len(o.Command) == 0 {
		options.Reload = o.load
	}
	code, err := host.New(options, link).Run(ctx)
	if err != nil && !errors.Is(err, keeper.ErrCut) {
		log.Error("the host ends", "error", err)
	}
	return code
}

func level(name string) slog.Level {
	var l slog.Level
	if l.UnmarshalText([]byte(name)) != nil {
		return slog.LevelInfo
	}
	return l
}

// logger writes text to a terminal and JSON to anything else.
func logger(format string, l slog.Level) *slog.Logger {
	return slog.New(logHandler(os.Stderr, format == "json" || format != "text" && !isatty.IsTerminal(os.Stderr.Fd()), l))
}

// logHandler writes durations as people do, "249ms", in both forms.
func logHandler(w io.Writer, asJSON bool, l slog.Level) slog.Handler {
	options := &slog.HandlerOptions{Level: l, ReplaceAttr: func(_ []string, a slog.Attr) slog.Attr {
		if a.Value.Kind() == slog.KindDuration {
			a.Value = slog.StringValue(a.Value.Duration().String())
		}
		return a
	}}
	if asJSON {
		return slog.NewJSONHandler(w, options)
	}
	return slog.NewTextHandler(w, options)
}
