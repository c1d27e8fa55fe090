// Params: the parameters that fix a case, their exact JSON, and the id made from them.

// Package result holds what a run writes down: the record of a case, the
// environment it ran in, the append-only file they go to, and the reader of
// that file. The JSON is a contract with users' scripts: Check states it as code.
package result

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"
)

// Params are the parameters of a case by name. A value is one of string,
// int64, float64 (finite), bool, []int64 and nil (null: the parameter does not
// apply). int and []int are taken as int64 and []int64 wherever a value is
// read; anything else is our bug and panics, or is an error when marshalled.
type Params map[string]any

// String returns the text of a parameter, "" where it is null. It panics if
// the name is missing or the value is of another type, as all getters do:
// plans are made by this program, so that is our bug.
func (p Params) String(name string) string { return get[string](p, name) }

// Int returns the whole number of a parameter, 0 where it is null.
func (p Params) Int(name string) int64 { return get[int64](p, name) }

// Float returns the number of a parameter, 0 where it is null. A whole number
// is taken as well: flags and files write 2 for 2.0.
func (p Params) Float(name string) float64 {
	if i, ok := normal(p[name]).(int64); ok {
		return float64(i)
	}
	return get[float64](p, name)
}

// Bool returns the truth of a parameter, false where it is null.
func (p Params) Bool(name string) bool { return get[bool](p, name) }

// Ints returns the whole numbers of a parameter, nil where it is null. The
// caller must not change them.
func (p Params) Ints(name string) []int64 { return get[[]int64](p, name) }

// Has says whether the parameter is there and not null.
func (p Params) Has(name string) bool { return p[name] != nil }

// With returns a copy in which name has the value v.
func (p Params) With(name string, v any) Params {
	q := maps.Clone(p)
	if q == nil {
		q = Params{}
	}
	q[name] = v
	return q
}

func get[T any](p Params, name string) T {
	v, there := p[name]
	if !there {
		panic(fmt.Sprintf("result: no parameter %q", name))
	}
	var zero T
	if v == nil {
		return zero
	}
	t, ok := normal(v).(T)
	if !ok {
		panic(fmt.Sprintf("result: parameter %q is %v (%T), wanted %T", name, v, v, zero))
	}
	return t
}

// normal brings the two convenient spellings into the types that a Params holds.
func normal(v any) any {
	switch v := v.(type) {
	case int:
		return int64(v)
	case []int:
		n := make([]int64, len(v))
		for i, x := range v {
			n[i] = int64(x)
		}
		return n
	}
	return v
}

// MarshalJSON writes the object with sorted keys and exact numbers: a float64
// always carries a point or an exponent, so that reading gives back its type.
func (p Params) MarshalJSON() ([]byte, error) { return p.encode(true) }

// encode writes the object; without nulls it is the canonical form of ID.
func (p Params) encode(nulls bool) ([]byte, error) {
	b := []byte{'{'}
	for _, name := range slices.Sorted(maps.Keys(p)) {
		if p[name] == nil && !nulls {
			continue
		}
		if len(b) > 1 {
			b = append(b, ',')
		}
		b = appendString(b, name)
		b = append(b, ':')
		var err error
		if b, err = appendValue(b, p[name]); err != nil {
			return nil, fmt.Errorf("parameter %q: %w", name, err)
		}
	}
	return append(b, '}'), nil
}

func appendValue(b []byte, v any) ([]byte, error) {
	switch v := normal(v).(type) {
	case nil:
		return append(b, "null"...), nil
	case string:
		return appendString(b, v), nil
	case bool:
		return strconv.AppendBool(b, v), nil
	case int64:
		return strconv.AppendInt(b, v, 10), nil
	case float64:
		if math.IsNaN(v) || math.IsInf(v, 0) {
			return nil, fmt.Errorf("%v is no JSON number", v)
		}
		s := strconv.FormatFloat(v, 'g', -1, 64)
		if !strings.ContainsAny(s, ".e") {
			s += ".0"
		}
		return append(b, s...), nil
	case []int64:
		b = append(b, '[')
		for i, x := range v {
			if i > 0 {
				b = append(b, ',')
			}
			b = strconv.AppendInt(b, x, 10)
		}
		return append(b, ']'), nil
	default:
		return nil, fmt.Errorf("%T is no type of a parameter", v)
	}
}

// appendString quotes as encoding/json does, without its escapes for HTML.
func appendString(b []byte, s string) []byte {
	q, err := marshal(s)
	if err != nil {
		panic(err) // a string always encodes
	}
	return append(b, q...)
}

// UnmarshalJSON reads an object: whole numbers without point or exponent
// become int64, others float64, arrays []int64.
func (p *Params) UnmarshalJSON(b []byte) error {
	d := json.NewDecoder(bytes.NewReader(b))
	d.UseNumber()
	var raw map[string]any
	if err := d.Decode(&raw); err != nil {
		return err
	}
	if raw == nil {
		*p = nil
		return nil
	}
	q := make(Params, len(raw))
	for name, v := range raw {
		x, err := parseValue(v)
		if err != nil {
			return fmt.Errorf("parameter %q: %w", name, err)
		}
		q[name] = x
	}
	*p = q
	return nil
}

func parseValue(v any) (any, error) {
	switch v := v.(type) {
	case nil, string, bool:
		return v, nil
	case json.Number:
		if strings.ContainsAny(v.String(), ".eE") {
			return v.Float64()
		}
		return v.Int64()
	case []any:
		n := make([]int64, len(v))
		for i, x := range v {
			num, ok := x.(json.Number)
			if !ok {
				return nil, fmt.Errorf("element %d is no whole number", i)
			}
			var err error
			if n[i], err = num.Int64(); err != nil {
				return nil, err
			}
		}
		return n, nil
	default:
		return nil, fmt.Errorf("%T is no type of a parameter", v)
	}
}

// ID names a case: the first 16 hexadecimal digits of the SHA-256 of the
// benchmark's name, a newline, and the canonical JSON of the parameters. That
// is MarshalJSON's form (sorted keys, no white space, exact numbers) without
// the nulls: a parameter that does not apply is the same as none, so a new
// parameter that is null in old cases leaves their ids as they were. It
// panics if a value is of no type that Params knows.
func ID(benchmark string, p Params) string {
	b, err := p.encode(false)
	if err != nil {
		panic("result: " + err.Error())
	}
	h := sha256.New()
	h.Write([]byte(benchmark + "\n"))
	h.Write(b)
	return hex.EncodeToString(h.Sum(nil))[:16]
}

// Check says which value is of no type that Params knows.
func (p Params) Check() error {
	_, err := p.encode(true)
	return err
}
