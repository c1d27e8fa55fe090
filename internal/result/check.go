// Check: the contract of a line in results.jsonl, as code that tests call.
package result

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"math"
	"slices"
	"time"
)

// RequiredParams are in the params of every record, null where they do not
// apply.
var RequiredParams = []string{"model", "transport", "device", "path", "pes"}

// want is the shape of one JSON value; null says whether null is right too.
type want struct {
	is   string // string, number, bool, object, array
	null bool
}

var recordShape = map[string]want{
	"schema": {"number", false}, "id": {"string", false}, "benchmark": {"string", false},
	"params": {"object", false}, "status": {"string", false}, "reason": {"string", true},
	"metrics": {"object", false}, "samples": {"object", false}, "validation": {"object", true},
	"path_taken": {"object", true}, "limit": {"object", true}, "trial": {"number", false},
	"started": {"string", true}, "elapsed_s": {"number", true}, "oversubscribed": {"bool", false},
	"env_id": {"string", true}, "staging": {"object", true}, "clocks": {"object", true}, "processes_per_device": {"number", true},
	"mps": {"bool", true}, "placement_found": {"string", true}, "pairs": {"string", true}, "balancing": {"object", true},
	"launch": {"object", true},
}

var metricShape = map[string]want{
	"unit": {"string", false}, "median": {"number", false}, "mean": {"number", false},
	"stddev": {"number", true}, "min": {"number", false}, "max": {"number", false},
	"p95": {"number", true}, "p99": {"number", true}, "ci_low": {"number", true},
	"ci_high": {"number", true}, "confidence": {"number", true}, "n": {"number", false},
}

var validationShape = map[string]want{
	"checked": {"number", false}, "sent": {"number", false}, "errors": {"number", false},
	"first_error": {"string", true},
}

var answerShape = map[string]want{
	"sum": {"number", true}, "expected_sum": {"number", true}, "max_error": {"number", true},
	"applied_iterations": {"number", false},
}

var pathShape = map[string]want{
	"lane": {"string", false}, "how_known": {"string", true}, "detail": {"string", true},
}

var limitShape = map[string]want{
	"name": {"string", false}, "value": {"number", false}, "unit": {"string", false},
	"fraction": {"number", true},
}

var launchShape = map[string]want{"chosen": {"string", false}, "how": {"string", false}}

var stagingShape = map[string]want{"chunk_bytes": {"number", false}, "how": {"string", false}}

var balancingShape = map[string]want{
	"syncs": {"number", false}, "migrations": {"number", false}, "moved_bytes": {"number", false}, "decide_s": {"number", false},
	"imbalance_before": {"number", true}, "imbalance_after": {"number", true},
}

var clocksShape = map[string]want{
	"sm_mhz": {"number", true}, "memory_mhz": {"number", true}, "throttled": {"array", false},
}

// Placements are the values of params.placement and placement_found.
var Placements = []string{SameGPU, Peer, Node, Remote}

// Units are the base units that a record may hold.
var Units = []string{"s", "B/s", "op/s", "1"}

// Check says all that is wrong with a line as the contract of the record, or
// of the environment, has it: names, order, types, nulls, values that
// contradict each other. nil means that a user's script can rely on the line.
func Check(line []byte) error {
	line = bytes.TrimSuffix(line, []byte("\n"))
	if !bytes.HasPrefix(line, fmt.Appendf(nil, `{"schema":%d,`, Schema)) {
		return fmt.Errorf("schema %d does not stand first", Schema)
	}
	if bytes.ContainsAny(line, "\r\n") {
		return errors.New("more than one line")
	}
	m, err := decodeObject(line)
	if err != nil {
		return err
	}
	if m["kind"] == EnvironmentKind {
		return checkEnvironment(line)
	}
	var c checker
	c.shape("", m, recordShape)
	if len(c) == 0 { // the rest relies on types
		c.record(line, m)
	}
	return errors.Join(c...)
}

type checker []error

func (c *checker) say(format string, args ...any) { *c = append(*c, fmt.Errorf(format, args...)) }

// shape holds v's names and types against the wanted ones, both ways.
func (c *checker) shape(where string, v any, shape map[string]want) {
	m, ok := v.(map[string]any)
	if !ok {
		c.say("%s is no object", where)
		return
	}
	for _, name := range slices.Sorted(maps.Keys(shape)) {
		x, there := m[name]
		w := shape[name]
		switch {
		case !there:
			c.say("%s%s is missing", where, name)
		case x == nil && !w.null:
			c.say("%s%s is null", where, name)
		case x != nil && typeOf(x) != w.is:
			c.say("%s%s is a %s, not a %s", where, name, typeOf(x), w.is)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(m)) {
		if _, known := shape[name]; !known {
			c.say("%s%s is no field", where, name)
		}
	}
}

func typeOf(v any) string {
	switch v.(type) {
	case nil:
		return "null"
	case string:
		return "string"
	case bool:
		return "bool"
	case json.Number, float64:
		return "number"
	case []any:
		return "array"
	}
	return "object"
}

func (c *checker) record(line []byte, m map[string]any) {
	var r Record
	if err := json.Unmarshal(line, &r); err != nil {
		c.say("%v", err)
		return
	}
	for _, name := range RequiredParams {
		if _, there := r.Params[name]; !there {
			c.say("params.%s is missing", name)
		}
	}
	if id := ID(r.Benchmark, r.Params); id != r.ID {
		c.say("id is %s, benchmark and params give %s", r.ID, id)
	}
	if !slices.Contains([]Status{OK, Failed, Skipped, Timeout}, r.Status) {
		c.say("status is %q", r.Status)
	}
	if (r.Status == OK) != (r.Reason == "") {
		c.say("status %q with reason %q", r.Status, r.Reason)
	}
	for _, p := range []any{m["placement_found"], r.Params["placement"]} {
		if s, ok := p.(string); ok && !slices.Contains(Placements, s) {
			c.say("placement is %q", s)
		}
	}
	if s, ok := m["started"].(string); ok {
		if _, err := time.Parse(time.RFC3339Nano, s); err != nil {
			c.say("started: %v", err)
		}
	}
	metrics := m["metrics"].(map[string]any)
	for _, name := range slices.Sorted(maps.Keys(metrics)) {
		c.shape("metrics."+name+".", metrics[name], metricShape)
		c.metric(name, r.Metrics[name])
	}
	c.samples(m["samples"].(map[string]any))
	c.validation(r, m["validation"])
	if p := m["path_taken"]; p != nil {
		c.shape("path_taken.", p, pathShape)
		if !slices.Contains(Lanes, r.PathTaken.Lane) {
			c.say("path_taken.lane is %q", r.PathTaken.Lane)
		}
	}
	if l := m["limit"]; l != nil {
		c.shape("limit.", l, limitShape)
	}
	if l := m["launch"]; l != nil {
		c.shape("launch.", l, launchShape)
	}
	if s := m["staging"]; s != nil {
		c.shape("staging.", s, stagingShape)
		if r.Params["staging"] != "pipelined" || r.Params.Has("chunk_bytes") && r.Params.Int("chunk_bytes") != r.Staging.ChunkBytes {
			c.say("staging is not of these params: %+v", *r.Staging)
		}
	}
	if k := m["clocks"]; k != nil {
		c.shape("clocks.", k, clocksShape)
	}
	if b := m["balancing"]; b != nil {
		c.shape("balancing.", b, balancingShape)
		if g := r.Balancing; g.Syncs < 0 || g.Migrations < 0 || g.MovedBytes < 0 || g.Syncs == 0 && g.Migrations > 0 ||
			math.IsNaN(g.ImbalanceBefore) != math.IsNaN(g.ImbalanceAfter) || g.Syncs > 0 && math.IsNaN(g.ImbalanceBefore) {
			c.say("balancing contradicts itself: %+v", *g)
		}
	}
	if r.Status == OK && r.Params["path"] == "direct" && (r.PathTaken == nil || r.PathTaken.Lane == "unknown" || r.PathTaken.Lane == "staged") {
		c.say("a direct case is ok without a direct lane")
	}
}

func (c *checker) metric(name string, m Metric) {
	if !slices.Contains(Units, m.Unit) {
		c.say("metrics.%s.unit is %q", name, m.Unit)
	}
	if m.N < 1 || m.Min > m.Median || m.Median > m.Max || m.CILow > m.CIHigh {
		c.say("metrics.%s contradicts itself: %+v", name, m)
	}
}

func (c *checker) samples(m map[string]any) {
	for _, name := range slices.Sorted(maps.Keys(m)) {
		list, ok := m[name].([]any)
		if !ok {
			c.say("samples.%s is no array", name)
			continue
		}
		for i, x := range list {
			if x != nil && typeOf(x) != "number" {
				c.say("samples.%s[%d] is a %s", name, i, typeOf(x))
			}
		}
	}
}

func (c *checker) validation(r Record, v any) {
	if v == nil {
		return
	}
	shape := maps.Clone(validationShape)
	if r.Validation.Answer != nil {
		maps.Copy(shape, answerShape)
	}
	c.shape("validation.", v, shape)
	x := r.Validation
	if (x.Errors == 0) != (x.FirstError == "") {
		c.say("validation has %d errors and first_error %q", x.Errors, x.FirstError)
	}
	if r.Status == OK && x.Errors > 0 {
		c.say("status ok with %d errors", x.Errors)
	}
}

func checkEnvironment(line []byte) error {
	var e Environment
	if err := json.Unmarshal(line, &e); err != nil {
		return err
	}
	id, err := contentID(e.Content)
	if err != nil {
		return err
	}
	if id != e.ID {
		return fmt.Errorf("env_id is %s, the content gives %s", e.ID, id)
	}
	return nil
}
