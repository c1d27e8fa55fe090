// The list of steps. A new one needs a line here.

package transporttest

// Suite is what every transport must do.
var Suite = []Step{
	{Name: "arguments", Run: arguments},
	{Name: "sizes", PEs: 2, Run: sizes},
	{Name: "large", PEs: 2, Run: large},
	{Name: "order", PEs: 2, Run: order},
	{Name: "order of mixed spaces", PEs: 2, Run: mixedSpaces},
	{Name: "unexpected and out of order", PEs: 2, Run: outOfOrder},
	{Name: "overlapping receives", PEs: 2, Run: overlapping},
	{Name: "contexts", PEs: 2, Run: contexts},
	{Name: "any source, any tag", PEs: 3, Run: wildcards},
	{Name: "many outstanding", PEs: 2, Run: many},
	{Name: "all to all", PEs: 2, Run: allToAll},
	{Name: "to itself", PEs: 2, Run: toItself},
	{Name: "shorter than the buffer", PEs: 2, Run: shorter},
	{Name: "truncation", PEs: 2, Run: truncation},
	{Name: "cancelled receives", PEs: 2, Run: cancelledRecv},
	{Name: "cancelled sends", PEs: 2, Run: cancelledSend},
	{Name: "requests", PEs: 2, Run: requests},
	{Name: "headers", PEs: 2, Run: headers},
	{Name: "headers among messages", PEs: 2, Run: headersAmong},
	{Name: "headers in a flood", PEs: 2, Run: headerFlood},
	{Name: "refused paths", PEs: 2, Run: refused},
	{Name: "mismatched staging", PEs: 2, Run: mismatched},
	{Name: "counters", PEs: 2, Run: counters},
	{Name: "deadline", PEs: 2, Run: deadline},
	{Name: "a closed peer", PEs: 2, Last: true, Run: closedPeer},
	{Name: "a killed peer", PEs: 2, Last: true, Run: killedPeer},
	{Name: "a killed peer, many waits", PEs: 3, Last: true, Run: killedPeerWaits},
}
