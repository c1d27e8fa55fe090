// Flags of benchmarks' own parameters: how their values are read.

package plan

import (
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
)

// Param is one of a benchmark's own parameters, as far as flags give it values.
type Param struct {
	Name string
	// Flag is the long flag whose values it takes; several benchmarks may have it, with values of one type. Empty: flags
	// of all benchmarks give the values (IsAxis).
	Flag  string
	Short string
	// Default is an int64, float64, string, bool or []int64, by which values are read; an empty string or list is null.
	Default any
	Quick   any      // the default with --quick; nil: Default
	Null    any      // the value that is null in params: that of cases from before the parameter
	Bytes   bool     // whole numbers may have K, M, G
	Values  []string // the words allowed
	All     bool     // by default all of Values
	Devices bool     // by default the ordinals of all devices
	Min     float64  // least and largest number; both 0: any
	Max     float64
	Len     int      // of a list: how many numbers
	Models  []string // those that it concerns; nil: all
	Scales  bool     // it is the size of the problem, which weak scaling makes larger
}

// Title is the flag as it is typed.
func (p Param) Title() string {
	if p.Short != "" {
		return "-" + p.Short
	}
	return "--" + p.Flag
}

// ParseOwn reads the values of a flag that these parameters share: one for each case, or one list X,Y,…. Each value suits
// one of them at least.
func ParseOwn(sharing []Param, text string) ([]any, error) {
	var parts []string
	if _, list := sharing[0].Default.([]int64); list {
		parts = []string{text}
	} else {
		parts = strings.Split(text, ",")
	}
	var out []any
	for _, part := range parts {
		if strings.TrimSpace(part) == "" {
			return nil, fmt.Errorf("%q has an empty place: give values, as in A,B,C", text)
		}
		v, err := parseOne(sharing, strings.TrimSpace(part))
		if err != nil {
			return nil, err
		}
		if !slices.ContainsFunc(out, func(x any) bool { return fmt.Sprint(x) == fmt.Sprint(v) }) {
			out = append(out, v)
		}
	}
	return out, nil
}

func parseOne(sharing []Param, text string) (v any, err error) {
	var first error
	for _, p := range sharing {
		if v, err = p.parse(text); err == nil {
			err = p.accepts(v)
		}
		if err == nil {
			return v, nil
		}
		if l, list := v.([]int64); first == nil || list && len(l) == p.Len {
			first = err // of several, that of the benchmark for which the list is long enough
		}
	}
	return nil, first
}

func (p Param) parse(text string) (any, error) {
	switch p.Default.(type) {
	case int64:
		return p.whole(text)
	case float64:
		v, err := strconv.ParseFloat(text, 64)
		if err != nil || math.IsNaN(v) || math.IsInf(v, 0) {
			return nil, fmt.Errorf("%q is no number: give %s", text, p.range_())
		}
		return v, nil
	case bool:
		v, err := strconv.ParseBool(text)
		if err != nil {
			return nil, fmt.Errorf("%q is neither true nor false", text)
		}
		return v, nil
	case []int64:
		return p.list(text)
	}
	return text, nil
}

func (p Param) whole(text string) (any, error) {
	if p.Bytes {
		v, err := ParseSize(text)
		return v, err
	}
	v, err := strconv.ParseInt(text, 10, 64)
	if err != nil {
		return nil, fmt.Errorf("%q is no whole number: give %s", text, p.range_())
	}
	return v, nil
}

var axisNames = [3]string{"X", "Y", "Z"}

func (p Param) list(text string) (any, error) {
	parts := strings.Split(text, ",")
	out := make([]int64, len(parts))
	for i, part := range parts {
		v, err := strconv.ParseInt(strings.TrimSpace(part), 10, 64)
		if err != nil {
			return nil, fmt.Errorf("%q is no whole number: give %s as in %s", part, p.shape(), strings.TrimSuffix(strings.Repeat("64,", p.Len), ","))
		}
		out[i] = v
	}
	return out, nil
}

func (p Param) shape() string { return strings.Join(axisNames[:p.Len], ",") }

// accepts says what is wrong with a value of the flag for this parameter.
func (p Param) accepts(v any) error {
	switch v := v.(type) {
	case int64:
		return p.within(float64(v), strconv.FormatInt(v, 10))
	case float64:
		return p.within(v, strconv.FormatFloat(v, 'g', -1, 64))
	case string:
		if len(p.Values) > 0 {
			_, err := Choose([]string{v}, p.Values...)
			return err
		}
	case []int64:
		if len(v) != p.Len {
			given := strings.Trim(strings.ReplaceAll(fmt.Sprint(v), " ", ","), "[]")
			return fmt.Errorf("%q has %s: give %d, %s", given, numbers(len(v)), p.Len, p.shape())
		}
		for _, x := range v {
			if float64(x) < p.Min || float64(x) > p.Max {
				return fmt.Errorf("%d is out of range: each of %s is %s", x, p.shape(), p.range_())
			}
		}
	}
	return nil
}

func numbers(n int) string {
	if n == 1 {
		return "one number"
	}
	return fmt.Sprintf("%d numbers", n)
}

func (p Param) within(v float64, text string) error {
	if (p.Min != 0 || p.Max != 0) && (v < p.Min || v > p.Max) {
		return fmt.Errorf("%s is out of range: give %s", text, p.range_())
	}
	return nil
}

func (p Param) range_() string {
	if p.Min == 0 && p.Max == 0 {
		return "a number"
	}
	text := func(v float64) string {
		if p.Bytes {
			return FormatSize(int64(v))
		}
		return strconv.FormatFloat(v, 'f', -1, 64)
	}
	return text(p.Min) + " to " + text(p.Max)
}

// plain is a value as params hold it.
func (p Param) plain(v any) any {
	switch x := v.(type) {
	case string:
		if x == "" {
			return nil
		}
	case []int64:
		if len(x) == 0 {
			return nil
		}
		return slices.Clone(x)
	}
	if p.Null != nil && v == p.Null {
		return nil
	}
	return v
}

// foreign says which value suits none of the chosen benchmarks that have its flag.
func foreign(o Options, chosen []Bench) error {
	for flag, values := range o.Own {
		var title string
		var why error
		suits := false
		for _, b := range chosen {
			for _, p := range b.Params {
				if p.Flag != flag {
					continue
				}
				title = p.Title()
				for _, v := range values {
					if err := p.accepts(v); err != nil {
						why = fmt.Errorf("%s: %w", b.Name, err)
					} else {
						suits = true
					}
				}
			}
		}
		if !suits && why != nil {
			return usage(title, "%v", why)
		}
	}
	return nil
}

// ownSize is the one size that a benchmark has where -m is not given, if it has one of its own.
func (b Bench) ownSize(quick bool) (int64, bool) {
	for _, p := range b.Params {
		if p.Name != "size_bytes" {
			continue
		}
		if v, ok := p.Quick.(int64); ok && quick {
			return v, true
		}
		v, ok := p.Default.(int64)
		return v, ok && b.Alone
	}
	return 0, false
}
