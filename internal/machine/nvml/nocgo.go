//go:build !cgo

package nvml

// Library is the loaded management library. There is none in a build without cgo.
type Library struct{}

// Open says that the program was built without cgo.
func Open() (*Library, error) {
	return nil, &UnsupportedError{libraryName, "this program was built without cgo (CGO_ENABLED=0)"}
}

// Close does nothing.
func (l *Library) Close() error { return nil }

// Versions returns nothing.
func (l *Library) Versions() (driver, library string) { return "", "" }

// Devices returns none.
func (l *Library) Devices() ([]Device, error) { return nil, nil }

// State returns nothing.
func (l *Library) State(uuid string) (State, error) { return State{}, nil }
