// Environment: the line that says on what machine a record was measured.
package result

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
)

// EnvironmentKind is the "kind" of an environment's line.
const EnvironmentKind = "environment"

// Environment is what was found out about the machine: host, CPUs allowed,
// NUMA, GPU UUID and binding of every PE. What the content holds belongs to
// the package that gathers it; here it is any JSON object.
type Environment struct {
	ID      string         // hash of the content
	Content map[string]any // numbers are json.Number, as written
}

// NewEnvironment makes an environment of anything that marshals to a JSON
// object. Its id is the first 16 hexadecimal digits of the SHA-256 of the
// object with sorted keys: equal contents share an id, and are written once.
func NewEnvironment(content any) (Environment, error) {
	b, err := json.Marshal(content)
	if err != nil {
		return Environment{}, fmt.Errorf("environment: %w", err)
	}
	m, err := decodeObject(b)
	if err != nil {
		return Environment{}, fmt.Errorf("environment: %w", err)
	}
	for _, reserved := range []string{"schema", "kind", "env_id"} {
		if _, there := m[reserved]; there {
			return Environment{}, fmt.Errorf("environment: %q is no name for content", reserved)
		}
	}
	id, err := contentID(m)
	if err != nil {
		return Environment{}, err
	}
	return Environment{ID: id, Content: m}, nil
}

// contentID hashes the object; encoding/json sorts the keys of maps.
func contentID(m map[string]any) (string, error) {
	b, err := json.Marshal(m)
	if err != nil {
		return "", fmt.Errorf("environment: %w", err)
	}
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:])[:16], nil
}

// Decode reads the content into a struct with JSON tags.
func (e Environment) Decode(into any) error {
	b, err := json.Marshal(e.Content)
	if err != nil {
		return err
	}
	return json.Unmarshal(b, into)
}

// MarshalJSON writes the line: schema, kind, env_id, then the content sorted.
func (e Environment) MarshalJSON() ([]byte, error) {
	b := fmt.Appendf(nil, `{"schema":%d,"kind":%q,"env_id":%q`, Schema, EnvironmentKind, e.ID)
	for _, name := range slices.Sorted(maps.Keys(e.Content)) {
		v, err := marshal(e.Content[name])
		if err != nil {
			return nil, fmt.Errorf("environment: %q: %w", name, err)
		}
		b = append(b, ',')
		b = appendString(b, name)
		b = append(b, ':')
		b = append(b, v...)
	}
	return append(b, '}'), nil
}

// UnmarshalJSON reads a line. The id is taken as written.
func (e *Environment) UnmarshalJSON(b []byte) error {
	m, err := decodeObject(b)
	if err != nil {
		return err
	}
	if m["kind"] != EnvironmentKind {
		return fmt.Errorf("kind is %v, not %s", m["kind"], EnvironmentKind)
	}
	id, ok := m["env_id"].(string)
	if !ok {
		return fmt.Errorf("an environment without env_id")
	}
	delete(m, "schema")
	delete(m, "kind")
	delete(m, "env_id")
	*e = Environment{ID: id, Content: m}
	return nil
}

func decodeObject(b []byte) (map[string]any, error) {
	d := json.NewDecoder(bytes.NewReader(b))
	d.UseNumber()
	var m map[string]any
	if err := d.Decode(&m); err != nil {
		return nil, err
	}
	if m == nil {
		return nil, fmt.Errorf("null is no object")
	}
	return m, nil
}
