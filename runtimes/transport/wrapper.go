// Drivers around drivers, and what embedding hides of the one inside.

package transport

// Wrapper is a driver around another one. A structure that embeds a Driver has Driver's methods alone: what else the one
// inside can do (Collector, Looper) is found through Unwrap.
type Wrapper interface {
	Driver
	Unwrap() Driver
}

// As finds the first of d and the drivers inside it that is a T. What a wrapper does itself comes before what it hides.
func As[T any](d Driver) (found T, ok bool) {
	for d != nil {
		if found, ok = d.(T); ok {
			return found, true
		}
		w, wraps := d.(Wrapper)
		if !wraps {
			break
		}
		d = w.Unwrap()
	}
	return found, false
}
