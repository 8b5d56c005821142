package host

import (
	"context"
	"net/http"
	"strconv"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/zdhost/zdhost/host/control"
	"github.com/zdhost/zdhost/host/instance"
)

// metrics collects the host's figures when they are asked for: nothing is
// counted twice, and what status shows is what is measured.
type metrics struct{ h *Host }

var (
	laneLabels    = []string{"listener", "service", "generation"}
	serviceLabels = []string{"service"}

	descQueue     = describe("lane_queue_connections", "Connections that wait to be accepted.", laneLabels...)
	descQueueMax  = describe("lane_queue_limit_connections", "Length of the accept queue.", laneLabels...)
	descDrops     = describe("lane_drops_total", "Connections that the kernel dropped since the socket was made, for want of room above all.", laneLabels...)
	descWeight    = describe("lane_weight_ratio", "Share of new connections, 0 to 1.", laneLabels...)
	descInstances = describe("instances", "Processes by state.", "service", "generation", "state")
	descRestarts  = describe("instance_restarts_total", "Instances that ended unasked since the host started.", serviceLabels...)
	descRolling   = describe("rollout_active", "1 while a rollout is under way.", serviceLabels...)
	descRollouts  = describe("rollouts", "Rollouts that the host remembers, by how they ended.", "service", "kind", "outcome")
	descRequests  = describe("requests_total", "Requests that instances which count them have been handed.", "service", "generation", "instance")
	descConns     = describe("connections", "Connections of instances that count them.", "service", "generation", "instance")
	descMoved     = describe("connections_moved_total", "Connections that an instance gave to a successor.", "service", "generation", "instance")
	descStart     = describe("host_start_time_seconds", "When the host started, in Unix time.")
	descHostRuns  = describe("host_restarts_total", "Times that the keeper had to start the host again.")
	descHeld      = describe("keeper_descriptors", "Descriptors that the keeper held when this host took over.")
	descReadOnly  = describe("journal_read_only", "1 if the journal takes nothing and changes are refused.")
)

func describe(name, help string, labels ...string) *prometheus.Desc {
	return prometheus.NewDesc("zdhost_"+name, help, labels, nil)
}

// handler serves the metrics in Prometheus' text format.
func (h *Host) metricsHandler() http.Handler {
	r := prometheus.NewRegistry()
	r.MustRegister(metrics{h})
	return promhttp.HandlerFor(r, promhttp.HandlerOpts{})
}

// Describe implements prometheus.Collector: what there is depends on what runs.
func (m metrics) Describe(chan<- *prometheus.Desc) {}

// collectTimeout bounds how long a scrape waits for the host's loop.
const collectTimeout = 5 * time.Second

// Collect implements prometheus.Collector.
func (m metrics) Collect(out chan<- prometheus.Metric) {
	ctx, cancel := context.WithTimeout(m.h.ctx, collectTimeout)
	defer cancel()
	var all []prometheus.Metric
	if err := m.h.ask(ctx, func() { all = m.h.measure() }); err != nil {
		out <- prometheus.NewInvalidMetric(descStart, err)
		return
	}
	for _, metric := range all {
		out <- metric
	}
}

// measure runs on the loop.
func (h *Host) measure() []prometheus.Metric {
	var all []prometheus.Metric
	gauge := func(d *prometheus.Desc, v float64, labels ...string) {
		all = append(all, prometheus.MustNewConstMetric(d, prometheus.GaugeValue, v, labels...))
	}
	counter := func(d *prometheus.Desc, v float64, labels ...string) {
		all = append(all, prometheus.MustNewConstMetric(d, prometheus.CounterValue, v, labels...))
	}
	gauge(descStart, float64(h.since.UnixMilli())/1000)
	counter(descHostRuns, float64(h.welcome.Restarts))
	gauge(descHeld, float64(len(h.welcome.Descriptors)))
	gauge(descReadOnly, boolean(h.journal.Err() != nil))
	for _, p := range h.ports {
		for _, l := range p.status().Lanes {
			labels := []string{p.name, l.Service, strconv.FormatUint(l.Generation, 10)}
			gauge(descQueue, float64(l.Queue), labels...)
			gauge(descQueueMax, float64(l.QueueMax), labels...)
			counter(descDrops, float64(l.Drops), labels...)
			gauge(descWeight, l.Weight/100, labels...)
		}
	}
	for _, name := range h.order {
		s := h.services[name]
		counter(descRestarts, float64(s.crashes), name)
		gauge(descRolling, boolean(s.roll != nil), name)
		s.measureInstances(gauge, counter)
	}
	h.memory.measure(gauge)
	return all
}

type emitMetric func(d *prometheus.Desc, v float64, labels ...string)

func (s *service) measureInstances(gauge, counter emitMetric) {
	for _, g := range s.living() {
		number := strconv.FormatUint(g.number, 10)
		states := map[instance.State]int{}
		for _, r := range g.inst {
			states[r.state]++
			if r.stats != nil {
				counter(descRequests, float64(r.stats.Requests), s.name, number, r.id)
				counter(descMoved, float64(r.stats.MovedOut), s.name, number, r.id)
				gauge(descConns, float64(r.stats.Connections), s.name, number, r.id)
			}
		}
		for state, n := range states {
			gauge(descInstances, float64(n), s.name, number, string(state))
		}
	}
}

// measure counts the rollouts that are remembered.
func (m *memory) measure(gauge emitMetric) {
	type key struct{ service, kind, outcome string }
	counts := map[key]int{}
	for _, r := range m.rollouts {
		if r.state.Name.Ended() {
			counts[key{r.service, string(r.state.Request.Kind), string(r.state.End.Outcome)}]++
		}
	}
	for k, n := range counts {
		gauge(descRollouts, float64(n), k.service, k.kind, k.outcome)
	}
}

func boolean(b bool) float64 {
	if b {
		return 1
	}
	return 0
}

// route mounts what the control API doesn't have itself.
func (h *Host) route(s *control.Server) { s.Handle("GET /v1/metrics", h.metricsHandler()) }
