package config

import (
	"encoding/json"
	"fmt"
	"time"
)

// values are the merged canonical values of one block. Its getters return the
// zero value for what is missing: the checks before have reported it.
type values map[string]any

func get[T any](v values, key string) T {
	t, _ := v[key].(T)
	return t
}

func (v values) text(key string) string            { return get[string](v, key) }
func (v values) whole(key string) int              { return int(get[int64](v, key)) }
func (v values) duration(key string) time.Duration { return get[time.Duration](v, key) }
func (v values) list(key string) []string          { return get[[]string](v, key) }
func (v values) block(key string) values           { return get[map[string]any](v, key) }

// decode fills a Config from merged values.
func decode(v values, order map[string][]string, dir string) (*Config, error) {
	c := &Config{
		Dir:      dir,
		StateDir: v.text("state_dir"),
		RunDir:   v.text("run_dir"),
		Control:  Control{Group: v.block("control").text("group")},
		Log:      Log{Format: v.block("log").text("format"), Level: v.block("log").text("level")},
		Releases: Releases{Keep: v.block("releases").whole("keep"), MaxAge: v.block("releases").duration("max_age")},
	}
	for _, name := range order["listener"] {
		c.Listeners = append(c.Listeners, decodeListener(name, v.block("listener").block(name)))
	}
	for _, name := range order["service"] {
		service, err := decodeService(name, v.block("service").block(name))
		if err != nil {
			return nil, err
		}
		c.Services = append(c.Services, service)
	}
	return c, nil
}

func decodeListener(name string, v values) Listener {
	l, _ := parseAddress(v.text("address"), "") // it was parsed before, or is missing and was reported
	l.Name = name
	l.Backlog = v.whole("backlog")
	l.Sticky = get[bool](v, "sticky")
	if l.Network == Unix {
		l.Mode, _ = parseMode(v.text("mode"))
	}
	return l
}

func decodeService(name string, v values) (Service, error) {
	s := Service{
		Name:       name,
		Command:    v.list("command"),
		Release:    v.text("release"),
		Listeners:  v.list("listeners"),
		Sockets:    Sockets(v.text("sockets")),
		Instances:  v.whole("instances"),
		EnvInherit: v.list("env_inherit"),
		User:       v.text("user"),
		Group:      v.text("group"),
		Dir:        v.text("dir"),
		Drain:      decodeDrain(v.block("drain")),
		Restart:    decodeRestart(v.block("restart")),
		Watchdog:   v.duration("watchdog"),
		PIDFile:    v.text("pid_file"),
	}
	if env := v.block("env"); len(env) > 0 {
		s.Env = map[string]string{}
		for key := range env {
			s.Env[key] = env.text(key)
		}
	}
	ready := v.block("ready")
	s.Ready = Ready{
		Timeout: ready.duration("timeout"), HTTP: ready.text("http"), Notify: get[bool](ready, "notify"),
		Exec: ready.list("exec"), Interval: ready.duration("interval"),
	}
	if health := v.block("health"); health != nil {
		s.Health = &Health{
			HTTP: health.text("http"), Exec: health.list("exec"), Interval: health.duration("interval"),
			Timeout: health.duration("timeout"), Failures: health.whole("failures"),
		}
	}
	limits := v.block("limits")
	s.Limits = Limits{
		Memory: get[int64](limits, "memory"), CPUs: get[float64](limits, "cpus"),
		Files: limits.whole("files"), Processes: limits.whole("processes"),
	}
	var err error
	s.Strategy, err = decodeStrategy(v.block("strategy"))
	return s, err
}

func decodeDrain(v values) Drain {
	d := Drain{Timeout: v.duration("timeout"), Settle: v.duration("settle"), Max: v.duration("max")}
	if v.text("timeout") == "auto" {
		d.Auto, d.Timeout = true, d.Max
	}
	d.Signal, _, _ = parseSignal(v.text("signal"))
	return d
}

func decodeRestart(v values) Restart {
	r := Restart{Backoff: v.duration("backoff"), MaxBackoff: v.duration("max_backoff")}
	r.CrashLoop, _ = parseRate(v.text("crash_loop"))
	return r
}

// decodeStrategy takes the only entry of v.
func decodeStrategy(v values) (Strategy, error) {
	for name, given := range v {
		settings := map[string]any{}
		entries, _ := given.(map[string]any)
		for key, value := range entries {
			if d, ok := value.(time.Duration); ok {
				value = d.String()
			}
			settings[key] = value
		}
		raw, err := json.Marshal(settings)
		if err != nil {
			return Strategy{}, fmt.Errorf("cannot encode settings of strategy %q: %w", name, err)
		}
		return Strategy{Name: name, Settings: raw}, nil
	}
	return Strategy{}, nil
}
