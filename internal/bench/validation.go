// Adding up validations: over batches, over PEs.
package bench

import (
	"math"

	"gpubench/internal/result"
	"gpubench/internal/stats"
)

// AddValidation adds v to total. Of answers the last one counts for sums, the largest
// for errors and iterations: a body gives one, at the end.
func AddValidation(total *result.Validation, v result.Validation) {
	total.Checked += v.Checked
	total.Sent += v.Sent
	total.Errors += v.Errors
	if total.FirstError == "" {
		total.FirstError = v.FirstError
	}
	switch {
	case v.Answer == nil:
	case total.Answer == nil:
		a := *v.Answer
		total.Answer = &a
	default:
		a := total.Answer
		a.Sum, a.ExpectedSum = v.Answer.Sum, v.Answer.ExpectedSum
		a.MaxError = largest(a.MaxError, v.Answer.MaxError)
		a.AppliedIterations = max(a.AppliedIterations, v.Answer.AppliedIterations)
	}
}

// combine sets the sums of all PEs' shares, compensated.
func combine(a *result.Answer, sums, expected []float64) {
	if a != nil {
		a.Sum, a.ExpectedSum = stats.Sum(sums), stats.Sum(expected)
	}
}

// largest lets a NaN win: a field that has become NaN has no small error.
func largest(a, b float64) float64 {
	if math.IsNaN(a) || math.IsNaN(b) {
		return math.NaN()
	}
	return math.Max(a, b)
}
