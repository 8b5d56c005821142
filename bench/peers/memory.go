package main

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// memory reads what keeper and host take.
func memory(ctx context.Context, w *workshop, s *section) error {
	s.Title = "Memory"
	s.Method = fmt.Sprintf("One service (naive, adopted), nothing asked for %v. PSS counts a shared page in part; MB are 2²⁰ bytes. The proxies are at rest too, with all their processes.",
		w.scale.rest)
	s.Tables = []table{{Head: []string{"", "PSS MB", "RSS MB", "private MB", "CPU at rest, ms/s"}}}
	return errors.Join(
		measureHost(ctx, w, s),
		measureProxy(ctx, w, s, candidate{name: "HAProxy", needs: needsHAProxy, start: behindHAProxy}),
		measureProxy(ctx, w, s, candidate{name: "nginx", needs: needsNginx, start: behindNginx}),
	)
}

// measureHost reads keeper and host at rest, and again after some upgrades.
func measureHost(ctx context.Context, w *workshop, s *section) (err error) {
	w.say("memory: zdhost")
	sys, err := adoptedNaive(ctx, w)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, sys.stop()) }()
	h := sys.(*hosted)
	_, host, err := h.status(ctx)
	if err != nil {
		return err
	}
	names, pids := []string{"keeper", "host"}, []int{host.KeeperPID, host.PID}
	sum, cpu, err := s.addRest(ctx, w, "", names, pids)
	if err != nil {
		return err
	}
	s.figure(number("PSS of keeper and host, one service at rest", inMegabytes(sum.PSS), "MB").against(atMost(40)))
	s.figure(number("CPU of keeper and host at rest", cpu, "ms/s"))
	for i := range w.scale.upgrades {
		if err := h.upgrade(ctx, fmt.Sprintf("r%d", i+1)); err != nil {
			return err
		}
	}
	sum, _, err = s.addRest(ctx, w, fmt.Sprintf(", after %d upgrades", w.scale.upgrades), names, pids)
	s.figure(number(fmt.Sprintf("PSS of keeper and host after %d upgrades", w.scale.upgrades), inMegabytes(sum.PSS), "MB"))
	return err
}

// addRest adds a row for each process, and one for their sum, after a rest.
func (s *section) addRest(ctx context.Context, w *workshop, when string, names []string, pids []int) (sum footprint, cpu float64, err error) {
	if err := pause(ctx, w.scale.rest/2); err != nil {
		return sum, 0, err
	}
	used := make([]time.Duration, len(pids))
	for i, pid := range pids {
		if used[i], err = runTime(pid); err != nil {
			return sum, 0, err
		}
	}
	began := time.Now()
	if err := pause(ctx, w.scale.rest/2); err != nil {
		return sum, 0, err
	}
	for i, pid := range pids {
		now, err := runTime(pid)
		if err != nil {
			return sum, 0, err
		}
		f, err := readFootprint(pid)
		if err != nil {
			return sum, 0, err
		}
		rate := inMilliseconds(now-used[i]) / time.Since(began).Seconds()
		s.Tables[0].addFootprint(names[i]+when, f, rate)
		sum, cpu = sum.plus(f), cpu+rate
	}
	s.Tables[0].addFootprint("zdhost, both"+when, sum, cpu)
	return sum, cpu, nil
}

// measureProxy reads all processes of a proxy, without the server behind it.
func measureProxy(ctx context.Context, w *workshop, s *section, c candidate) (err error) {
	if c.missing(w) {
		s.note("%s: %s.", c.name, notInstalled)
		return nil
	}
	w.say("memory: %s", c.name)
	sys, err := c.start(ctx, w)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, sys.stop()) }()
	if err := pause(ctx, w.scale.rest/2); err != nil {
		return err
	}
	stats, err := readProcStats()
	if err != nil {
		return err
	}
	var sum footprint
	var before, after time.Duration
	processes := tree(stats, sys.(*proxy).front.pid())
	began := time.Now()
	for _, p := range processes {
		d, err := runTime(p.pid)
		if err != nil {
			return err
		}
		before += d
	}
	if err := pause(ctx, w.scale.rest/2); err != nil {
		return err
	}
	for _, p := range processes {
		d, err := runTime(p.pid)
		if err != nil {
			return err
		}
		f, err := readFootprint(p.pid)
		if err != nil {
			return err
		}
		after, sum = after+d, sum.plus(f)
	}
	s.Tables[0].addFootprint(c.name, sum, inMilliseconds(after-before)/time.Since(began).Seconds())
	return nil
}

func (t *table) addFootprint(name string, f footprint, cpu float64) {
	t.add(name, fmt.Sprintf("%.1f", inMegabytes(f.PSS)), fmt.Sprintf("%.1f", inMegabytes(f.RSS)), fmt.Sprintf("%.1f", inMegabytes(f.Private)), fmt.Sprintf("%.2f", cpu))
}

func inMegabytes(bytes int64) float64 { return float64(bytes) / (1 << 20) }
