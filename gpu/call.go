// Calls of the binding: its panics become errors here and nowhere else.

package gpu

import "github.com/barnex/cuda5/cu"

// call runs f and turns the binding's panic into an *Error that names the driver's function.
func call(name string, f func()) (err error) {
	defer func() {
		switch r := recover().(type) {
		case nil:
		case cu.Result:
			err = failure(name, r)
		default:
			panic(r)
		}
	}()
	f()
	return nil
}

// failure makes the error of a result; nil for success.
func failure(name string, r cu.Result) error {
	if r == cu.SUCCESS {
		return nil
	}
	return &Error{Call: name, Code: int(r), Name: r.String()}
}
