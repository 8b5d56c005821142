package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"slices"
	"strings"
	"syscall"
	"time"
)

// part is a section that can be measured by itself.
type part struct {
	name    string
	measure func(context.Context, *workshop, *section) error
}

func parts() []part {
	return []part{
		{"memory", memory},
		{"start", start},
		{"weight", weight},
		{"loss", loss},
		{"throughput", throughput},
		{"latency", latency},
	}
}

// arguments are the command line's.
type arguments struct {
	quick bool
	only  string
	json  string
	page  string
}

func main() {
	var a arguments
	flag.BoolVar(&a.quick, "quick", false, "measure little, for developing")
	flag.StringVar(&a.only, "only", "", "measure one `section`: "+strings.Join(partNames(), ", "))
	flag.StringVar(&a.json, "json", "", "write the report to `file`, too")
	flag.StringVar(&a.page, "write", "", "replace the measured part of a documentation `page`, too")
	flag.Parse()
	if flag.NArg() > 0 || a.only != "" && !slices.Contains(partNames(), a.only) {
		flag.Usage()
		os.Exit(2)
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx, a, os.Stdout, os.Stderr)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func partNames() []string {
	var names []string
	for _, p := range parts() {
		names = append(names, p.name)
	}
	return names
}

// run measures and reports. A report that is not complete is printed, but not written to the page.
func run(ctx context.Context, a arguments, out, progress io.Writer) error {
	r, err := measure(ctx, a, progress)
	if err != nil {
		return err
	}
	if _, err := io.WriteString(out, r.markdown()); err != nil {
		return err
	}
	if a.json != "" {
		if err := r.saveJSON(a.json); err != nil {
			return err
		}
	}
	if r.failed() {
		return errors.New("cannot measure everything: see the report")
	}
	if a.page != "" {
		return writePage(a.page, r.markdown())
	}
	return nil
}

// measure does the wanted sections within the time for all of them.
func measure(ctx context.Context, a arguments, progress io.Writer) (_ *report, err error) {
	r := &report{Began: time.Now(), Quick: a.quick}
	size := full()
	if a.quick {
		size = quick()
	}
	ctx, cancel := context.WithTimeoutCause(ctx, size.limit, fmt.Errorf("more than %v had passed", size.limit))
	defer cancel()
	busy := loadAverage() // before compiling adds to it
	w, err := openWorkshop(ctx, size, progress)
	if err != nil {
		return nil, fmt.Errorf("cannot prepare: %w", err)
	}
	defer func() { err = errors.Join(err, w.close()) }()
	r.Machine = w.describe(ctx)
	r.Machine.Load = busy
	for _, p := range parts() {
		if a.only == "" || a.only == p.name {
			r.Sections = append(r.Sections, p.section(ctx, w))
		}
	}
	r.Took = time.Since(r.Began).Round(time.Second).String()
	return r, nil
}

// section measures one part; what goes wrong is in the section.
func (p part) section(ctx context.Context, w *workshop) *section {
	s := &section{Name: p.name, Title: p.name}
	err := context.Cause(ctx)
	if err == nil {
		err = p.measure(ctx, w, s)
	}
	if err != nil {
		s.Error = strings.ReplaceAll(err.Error(), "\n", "; ")
		w.say("%s: %s", p.name, s.Error)
	}
	return s
}

// saveJSON writes the report to a file.
func (r *report) saveJSON(path string) error {
	f, err := os.Create(path)
	if err != nil {
		return err
	}
	return errors.Join(r.writeJSON(f), f.Close())
}
