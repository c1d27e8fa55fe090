// Scripted traces of the core, as etcd-io/raft has them: testdata/*.txt are commands, each followed by what ports and
// chares saw. go test -run Trace -update writes what is seen now.
package charm

import (
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
)

var update = flag.Bool("update", false, "write testdata anew")

func TestTrace(t *testing.T) {
	files, err := filepath.Glob("testdata/*.txt")
	if err != nil || len(files) == 0 {
		t.Fatal("no traces", err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txt"), func(t *testing.T) {
			text, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			clear(testEvents)
			got := (&script{t: t}).play(string(text))
			if got == string(text) {
				return
			}
			if *update {
				if err := os.WriteFile(file, []byte(got), 0o666); err != nil {
					t.Fatal(err)
				}
				return
			}
			want := strings.Split(string(text), "\n")
			for i, line := range strings.Split(got, "\n") {
				if i >= len(want) || line != want[i] {
					t.Fatalf("line %d is\n\t%s\nthe file has\n\t%s", i+1, line, append(want, "(nothing)")[min(i, len(want))])
				}
			}
			t.Fatal("the file goes on")
		})
	}
}

// script plays one file.
type script struct {
	t   *testing.T
	s   *sim
	arr Array[box]
	sec []Section[box]
	mov Array[nomad]
	out strings.Builder
}

// play runs every command and returns the file with the output as it is now.
func (p *script) play(text string) string {
	for _, block := range strings.Split(strings.TrimSpace(text), "\n\n") {
		lines := strings.Split(block, "\n")
		for i := 0; i < len(lines) && lines[i] != "----"; i++ {
			p.out.WriteString(lines[i] + "\n")
		}
		p.out.WriteString("----\n")
		for i := 0; i < len(lines) && lines[i] != "----"; i++ {
			if !strings.HasPrefix(lines[i], "#") {
				p.command(strings.Fields(lines[i]))
			}
		}
		p.out.WriteString("\n")
	}
	return strings.TrimSpace(p.out.String()) + "\n"
}

func (p *script) command(f []string) {
	s := p.s
	switch f[0] {
	case "pes": // pes N [fanout=F] [header=B] [deadline=D]
		opt := map[string]string{"fanout": "2", "header": "256", "deadline": "0s"}
		for _, o := range f[2:] {
			k, v, _ := strings.Cut(o, "=")
			opt[k] = v
		}
		p.s = newSim(p.t, p.int(f[1]), p.int(opt["header"]), p.int(opt["fanout"]))
		d, err := time.ParseDuration(opt["deadline"])
		if err != nil {
			p.t.Fatal(err)
		}
		for _, pe := range p.s.pes {
			pe.deadline = int64(d)
		}
		p.s.log = func(format string, args ...any) { fmt.Fprintf(&p.out, format+"\n", args...) }
	case "boxes": // boxes EXTENTS MAP
		var n []int
		for _, v := range strings.Split(f[1], "x") {
			n = append(n, p.int(v))
		}
		place := Blocks
		if len(f) > 2 && f[2] == "robin" {
			place = RoundRobin
		}
		p.arr, _ = s.boxes(Grid(n...), place)
		for i := range p.arr.Shape().Len() {
			e := Elem[box]{p.arr.coll, uint32(i)}
			s.say("%s on PE %d", "Box"+p.arr.Shape().At(i).text(p.arr.Shape().Dims()), e.PE(s.pes[0]))
		}
	case "begin":
		s.begin(nil)
	case "send": // send PE ELEMENT METHOD [PEER N PORT]
		pe, to := s.pes[p.int(f[1])], Elem[box]{p.arr.coll, uint32(p.int(f[2]))}
		var m talk
		for i, at := range []*int64{&m.Peer, &m.N, &m.Port} {
			if len(f) > 4+i {
				*at = int64(p.int(f[4+i]))
			}
		}
		p.entry(f[3]).Send(pe, to, m)
	case "sendbig":
		var m [300]int64
		for i := range m {
			m[i] = int64(p.int(f[3]) + i)
		}
		boxBig.Send(s.pes[p.int(f[1])], Elem[box]{p.arr.coll, uint32(p.int(f[2]))}, m)
	case "section": // section PE ELEMENT...
		var at []Index
		for _, v := range f[2:] {
			at = append(at, p.arr.Shape().At(p.int(v)))
		}
		p.sec = append(p.sec, p.arr.Section(s.pes[p.int(f[1])], at))
	case "broadcast": // broadcast PE all|SECTION METHOD N
		to := p.arr.All()
		if f[2] != "all" {
			to = p.sec[p.int(f[2])]
		}
		p.entry(f[3]).Broadcast(s.pes[p.int(f[1])], to, talk{N: int64(p.int(f[4]))})
	case "quiescence": // quiescence PE ELEMENT
		Quiescence(s.pes[p.int(f[1])], boxQuiet.To(Elem[box]{p.arr.coll, uint32(p.int(f[2]))}))
	case "nomads": // nomads N BALANCER, or the places that each sync point gives: 3,1,2
		if !strings.Contains(f[2], ",") {
			p.mov = s.nomads(p.int(f[1]), mustBalancer(p.t, f[2], BalanceConfig{}))
			return
		}
		var to []int
		for _, v := range strings.Split(f[2], ",") {
			to = append(to, p.int(v))
		}
		p.mov = s.nomads(p.int(f[1]), Balancer{name: "planned", distance: NodeDistance, places: func(Situation) []int { return to }})
	case "tell": // tell PE ELEMENT METHOD [N [PEER]]: a nomad
		p.nomad(f[3]).Send(s.pes[p.int(f[1])], p.mov.At(p.int(f[2])), p.talk(f[4:]))
	case "tellall": // tellall PE METHOD [N]
		p.nomad(f[2]).Broadcast(s.pes[p.int(f[1])], p.mov.All(), p.talk(f[3:]))
	case "deliver": // deliver [SRC>DST [POSITION]]
		if len(f) == 1 {
			for s.deliverAny() {
			}
			return
		}
		src, dst, _ := strings.Cut(f[1], ">")
		at := 0
		if len(f) > 2 {
			at = p.int(f[2])
		}
		if !s.deliver(p.int(src), p.int(dst), at) {
			s.say("nothing to deliver")
		}
	case "step": // step PE
		if !s.step(s.pes[p.int(f[1])]) {
			s.say("nothing to do")
		}
	case "move":
		if !s.move(0) {
			s.say("nothing to move")
		}
	case "run":
		s.run(p.t)
	case "idle":
		s.pes[p.int(f[1])].idle()
	case "event": // event N [error]
		ev := testEvents[int64(p.int(f[1]))]
		ev.done = true
		if len(f) > 2 {
			ev.err = errors.New(f[2])
		}
	case "time": // time SINCE-BEGIN [PE...]: ticks, on all if none is named
		d, err := time.ParseDuration(f[1])
		if err != nil {
			p.t.Fatal(err)
		}
		s.clock = int64(d)
		for _, pe := range s.pes {
			if len(f) == 2 || slices.Contains(f[2:], strconv.Itoa(pe.rank)) {
				pe.tick()
			}
		}
	case "exit":
		s.pes[p.int(f[1])].Exit()
	case "state":
		for _, pe := range s.pes {
			s.say("PE %d: made %d, done %d, exited %v, error %v", pe.rank, pe.made, pe.done, pe.exited, pe.err)
		}
	default:
		p.t.Fatalf("no command %q", f)
	}
}

func (p *script) entry(name string) Entry[box, talk] {
	for _, e := range []Entry[box, talk]{boxNote, boxWant, boxSay, boxHear, boxGive, boxAdd, boxWaitEvent, boxPanic, boxPanicThreaded, boxAsk} {
		if e.Name() == name {
			return e
		}
	}
	p.t.Fatalf("no method %q", name)
	return boxNote
}

func (p *script) talk(f []string) (m talk) {
	for i, v := range []*int64{&m.N, &m.Peer} {
		if i < len(f) {
			*v = int64(p.int(f[i]))
		}
	}
	return m
}

func (p *script) nomad(name string) Entry[nomad, talk] {
	for _, e := range []Entry[nomad, talk]{nomadSync, nomadNote, nomadAdd, nomadSay, nomadHear, nomadPost, nomadGive} {
		if e.Name() == name {
			return e
		}
	}
	p.t.Fatalf("no method %q of a nomad", name)
	return nomadNote
}

func (p *script) int(s string) int {
	n, err := strconv.Atoi(s)
	if err != nil {
		p.t.Fatal(err)
	}
	return n
}
