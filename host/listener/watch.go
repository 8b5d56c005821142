package listener

// Watch follows a lane's queue and drops. The caller says when to look, by calling Sample, and from one goroutine.
type Watch struct {
	lane  *Lane
	drops uint32
	high  int
}

// Reading is what a watch has seen.
type Reading struct {
	Queue     int    // connections waiting now; bytes on a datagram lane
	Limit     int    // the queue's limit
	QueueHigh int    // the most that any sample saw
	Drops     uint64 // connections or datagrams dropped since the watch began, modulo 2³²
}

// Watch begins to watch the lane.
func (lane *Lane) Watch() (*Watch, error) {
	drops, err := lane.Drops()
	if err != nil {
		return nil, err
	}
	return &Watch{lane: lane, drops: uint32(drops)}, nil
}

// Sample reads the lane's figures.
func (w *Watch) Sample() (Reading, error) {
	length, limit, err := w.lane.Queue()
	if err != nil {
		return Reading{}, err
	}
	drops, err := w.lane.Drops()
	if err != nil {
		return Reading{}, err
	}
	w.high = max(w.high, length)
	return Reading{Queue: length, Limit: limit, QueueHigh: w.high, Drops: uint64(uint32(drops) - w.drops)}, nil
}
