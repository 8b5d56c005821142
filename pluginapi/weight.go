package pluginapi

import "strconv"

// Weight is a generation's share of new connections in basis points, hundredths
// of a percent: 0 is none, FullWeight is every new connection.
type Weight int

const (
	// FullWeight is 100 %.
	FullWeight Weight = 10000
	// NoWeight stands where a weight has no meaning: the service has no
	// listener that can be weighted.
	NoWeight Weight = -1
)

// Valid reports whether w is NoWeight or between 0 and FullWeight.
func (w Weight) Valid() bool { return w >= NoWeight && w <= FullWeight }

// String is the weight in percent ("50 %", "0.25 %"), or "none".
func (w Weight) String() string {
	if w == NoWeight {
		return "none"
	}
	return strconv.FormatFloat(float64(w)/100, 'f', -1, 64) + " %"
}
