// Alarm: how a wait learns that it waits in vain.

package transport

import (
	"errors"
	"time"
)

// ErrAborted ends a wait because the alarm has gone off: another PE has failed.
var ErrAborted = errors.New("another PE has failed")

// alarmAfter is how long a wait lasts before the alarm is asked. Shorter ones never pay for it.
const alarmAfter = 100 * time.Millisecond

// SetAlarm has f asked now and then by waits that have lasted 100 ms; true ends them with ErrAborted. f may begin and
// look at operations of this Endpoint, but not wait. nil: no alarm.
func (e *Endpoint) SetAlarm(f func() bool) { e.alarm = f }

// alarmed asks the alarm.
func (e *Endpoint) alarmed(waited time.Duration) bool {
	return waited > alarmAfter && e.alarm != nil && e.alarm()
}
