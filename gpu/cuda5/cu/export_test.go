//go:build cgo

package cu

// Entry is a function of table.def as it was compiled.
type Entry struct {
	Name, Symbol      string
	Required, Present bool
}

// Entries lists table.def; d may be nil.
func Entries(d *Driver) []Entry {
	var list []Entry
	t := currentTable()
	if d != nil {
		t = d.table
	}
	for _, e := range entries(t) {
		list = append(list, Entry{e.name, e.symbol, e.required, e.present})
	}
	return list
}

// LoadFrom loads the library at path as LoadCUDA does.
var LoadFrom = load
