package promises

import (
	"os"
	"time"
)

// size is how much of each promise a run checks.
type size struct {
	upgrades map[string]int // of each server in row 1; "" is for those that are not named
	clients  int            // of row 1 and others with one connection a request
	kept     int            // clients with kept connections
	rolls    int            // upgrades under kept connections in row 2
	kills    int            // of an instance in row 4
	rollback int            // rollbacks in row 6
	// within is the bound on a warm rollback; generous where processors are shared.
	within  time.Duration
	slow    time.Duration // responses in flight in row 7
	connect int           // connections over which the weight is measured in row 8
}

var small = size{
	upgrades: map[string]int{"": 8, "naive": 12, "gunicorn": 4, "jdk": 4},
	clients:  8, kept: 8, rolls: 5, kills: 3, rollback: 5, within: 50 * time.Millisecond, slow: 3 * time.Second, connect: 10000,
}

var full = size{
	upgrades: map[string]int{"": 20},
	clients:  16, kept: 32, rolls: 20, kills: 20, rollback: 20, within: 5 * time.Millisecond, slow: 10 * time.Second, connect: 10000,
}

var soak = size{
	upgrades: map[string]int{"": 200},
	clients:  16, kept: 32, rolls: 200, kills: 100, rollback: 200, within: 5 * time.Millisecond, slow: 10 * time.Second, connect: 100000,
}

// sized is the size that was asked for.
func sized() size {
	switch name := os.Getenv("ZDHOST_SIZE"); name {
	case "", "small":
		return small
	case "full":
		return full
	case "soak":
		return soak
	default:
		panic("ZDHOST_SIZE is " + name + ", not small, full or soak") // a mistyped size must not pass as a small one
	}
}

// upgradesOf is how many upgrades a server gets in row 1.
func (s size) upgradesOf(server string) int {
	if n, ok := s.upgrades[server]; ok {
		return n
	}
	return s.upgrades[""]
}
