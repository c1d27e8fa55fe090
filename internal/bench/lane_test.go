package bench

import (
	"testing"

	"gpubench/gpu/witness"
	"gpubench/runtimes/transport"
)

func TestLaneFromCopies(t *testing.T) {
	k := func(copies, bytes uint64) witness.Count { return witness.Count{Copies: copies, Bytes: bytes} }
	sent := transport.Traffic{Messages: 4, Bytes: 4000}
	none := witness.Counts{}
	direct := witness.Counts{DeviceToDevice: k(4, 4000)}
	for name, c := range map[string]struct {
		near, far witness.Counts
		want      transport.LaneName // "": copies do not tell
	}{
		"each message by a copy between devices": {direct, direct, transport.LaneIPC},
		"in fragments":                           {witness.Counts{DeviceToDevice: k(9, 4000)}, direct, transport.LaneIPC},
		"through the host":                       {witness.Counts{ToHost: k(4, 4000), ToDevice: k(4, 4000)}, none, transport.LaneLibraryStaged},
		"one message through the host":           {witness.Counts{DeviceToDevice: k(4, 4000), ToHost: k(1, 8)}, direct, transport.LaneLibraryStaged},
		"through the host in a timed batch":      {direct, witness.Counts{DeviceToDevice: k(3, 3000), Undecided: k(2, 2000)}, transport.LaneLibraryStaged},
		"one to itself in a timed batch":         {direct, witness.Counts{DeviceToDevice: k(3, 3000), Undecided: k(1, 1000)}, transport.LaneIPC},
		"fewer than there were":                  {witness.Counts{DeviceToDevice: k(3, 3000)}, direct, transport.LaneUnknown},
		"fewer in timed batches":                 {direct, witness.Counts{DeviceToDevice: k(3, 3000)}, transport.LaneUnknown},
		"no copies at all":                       {none, none, ""},
	} {
		t.Run(name, func(t *testing.T) {
			l, ok := evidence{Close: sight{Sent: sent, Copies: c.near}, Afar: sight{Sent: sent, Copies: c.far}}.lane()
			if ok != (c.want != "") || ok && l.Name != c.want {
				t.Errorf("%v %+v", ok, l)
			}
		})
	}
	if _, ok := (evidence{Close: sight{Copies: direct}}).lane(); ok {
		t.Error("a lane of no messages")
	}
}

// A library's collectives copy as often as they like between devices, but alike whether they are looked at or not.
func TestLaneOfCollectives(t *testing.T) {
	k := func(copies, bytes uint64) witness.Count { return witness.Count{Copies: copies, Bytes: bytes} }
	near, far := transport.Traffic{Messages: 4, Bytes: 4000}, transport.Traffic{Messages: 40, Bytes: 40000}
	direct := witness.Counts{DeviceToDevice: k(8, 6000)} // half as much again as has to be moved
	for name, c := range map[string]struct {
		near, far witness.Counts
		want      transport.LaneName // "": copies do not tell
	}{
		"between devices":                               {direct, witness.Counts{DeviceToDevice: k(80, 60000)}, transport.LaneIPC},
		"by calls that say nothing, as often":           {direct, witness.Counts{Undecided: k(80, 60000)}, transport.LaneIPC},
		"more bytes in timed batches":                   {direct, witness.Counts{Undecided: k(80, 60001)}, transport.LaneLibraryStaged},
		"to the host in a timed batch":                  {direct, witness.Counts{DeviceToDevice: k(80, 60000), ToHost: k(1, 8)}, transport.LaneLibraryStaged},
		"through the host":                              {witness.Counts{ToHost: k(4, 4000), ToDevice: k(4, 4000)}, witness.Counts{}, transport.LaneLibraryStaged},
		"a part through the host":                       {witness.Counts{DeviceToDevice: k(8, 6000), ToDevice: k(1, 8)}, witness.Counts{}, transport.LaneLibraryStaged},
		"less than has to be moved":                     {witness.Counts{DeviceToDevice: k(3, 3000)}, witness.Counts{DeviceToDevice: k(30, 30000)}, transport.LaneUnknown},
		"less in timed batches":                         {direct, witness.Counts{DeviceToDevice: k(30, 39999)}, transport.LaneUnknown},
		"by something that the driver is not asked for": {witness.Counts{}, witness.Counts{}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			l, ok := evidence{Close: sight{Collected: near, Copies: c.near}, Afar: sight{Collected: far, Copies: c.far}}.lane()
			if ok != (c.want != "") || ok && l.Name != c.want {
				t.Errorf("%v %+v", ok, l)
			}
		})
	}
}
