package instance

import "testing"

func TestReadinessSaysWhatIsMissing(t *testing.T) {
	web, admin := Port{"web", "127.0.0.1:80"}, Port{"admin", "127.0.0.1:81"}
	both := []Port{web, admin}
	for _, c := range []struct {
		name         string
		r            readiness
		happens      func(*readiness)
		missing      string
		check, ready bool
	}{
		{"deaf", readiness{required: both, adopts: true, checks: 1}, nil, "it does not listen on 127.0.0.1:80, 127.0.0.1:81", false, false},
		{"half deaf", readiness{required: both, adopts: true, checks: 1}, func(r *readiness) { r.listens("web", web.Address) },
			"it does not listen on 127.0.0.1:81", false, false},
		{"listens elsewhere", readiness{required: both[:1], adopts: true, checks: 1}, func(r *readiness) {
			r.listens("open/8080", "0.0.0.0:8080")
			r.listens("open/8080", "0.0.0.0:8080")
			r.listensElsewhere(web.Address) // asked for: no news
		}, "it does not listen on 127.0.0.1:80; it listens on 0.0.0.0:8080", false, false},
		{"refused", readiness{required: both[:1], adopts: true, checks: 1}, func(r *readiness) {
			r.refused("[::]:80", "web", "wrong family")
			r.refused("[::]:80", "web", "wrong family")
		}, "it does not listen on 127.0.0.1:80; its bind of [::]:80 was refused (listener web): wrong family", false, false},
		{"listens, not checked", readiness{required: both[:1], adopts: true, checks: 1}, func(r *readiness) { r.listens("web", "") },
			"its check has not passed", true, false},
		{"check failed", readiness{required: both[:1], adopts: true, checks: 1}, func(r *readiness) {
			r.listens("web", "")
			r.lastCheck = "GET / answered 503"
		}, "its check has not passed: GET / answered 503", true, false},
		{"check passed", readiness{required: both[:1], adopts: true, checks: 1}, func(r *readiness) {
			r.listens("web", "")
			r.passed = true
		}, "nothing is missing", true, true},
		{"passed once, and then deaf for a new port", readiness{required: both, adopts: true, checks: 1}, func(r *readiness) {
			r.listens("web", "")
			r.passed = true
		}, "it does not listen on 127.0.0.1:81", false, false},
		{"inherits", readiness{required: both, checks: 1}, nil, "its check has not passed", true, false},
		{"silent", readiness{required: both, needsWord: true, checks: 1}, nil, "it has not said READY=1", false, false},
		{"has spoken", readiness{required: both, needsWord: true, checks: 1}, func(r *readiness) { r.said = true }, "its check has not passed", true, false},
		{"deaf and silent", readiness{required: both[:1], adopts: true, needsWord: true, checks: 1}, nil, "it does not listen on 127.0.0.1:80", false, false},
		{"a check without a port", readiness{adopts: true, needsPort: true, checks: 1}, nil, "it listens nowhere, and its check needs a port", false, false},
		{"a check on a port of its own", readiness{adopts: true, needsPort: true, checks: 1}, func(r *readiness) { r.listens("open/1", "0.0.0.0:1") },
			"its check has not passed", true, false},
		{"no checks", readiness{}, nil, "nothing is missing", true, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			c.r.listening = map[string]bool{}
			if c.happens != nil {
				c.happens(&c.r)
			}
			if got := c.r.missing(); got != c.missing {
				t.Errorf("missing: %s", got)
			}
			if c.r.mayCheck() != c.check || c.r.ready() != c.ready {
				t.Errorf("may be checked: %v, ready: %v", c.r.mayCheck(), c.r.ready())
			}
		})
	}
}
