// Messages of a channel that go on to where its chare has moved.
package charm

// redirect sends the messages that a chare has not received after it.
func (c *core) redirect(ch *Channel, to int) {
	for ch.inbox.n > 0 {
		c.resend(ch, ch.inbox.pop(), to)
	}
	for i := range ch.ahead {
		c.resend(ch, &ch.ahead[i], to)
	}
	ch.ahead = nil
}

func (c *core) resend(ch *Channel, a *arrival, to int) {
	if a.mode == modeHere { // its sender waits here until the new place has received it
		x := c.newMove(give, to, a.op.buf)
		x.op = a.op
		c.made++ // the header
		c.launch(x)
		return
	}
	var h [channelLen]byte
	putHeader(h[:], kindChannel, ch.port, ch.el.coll.id, ch.el.lin)
	le.PutUint32(h[12:], ch.peerElem)
	le.PutUint64(h[16:], uint64(ch.peerColl)|uint64(a.seq)<<32)
	if a.mode == modeTagged {
		c.made++
		c.takeToPass(a.src, h[:], a.n, a.tag)
		return
	}
	b := c.open(to, channelLen+len(a.data))
	copy(b, h[:])
	copy(b[channelLen:], a.data)
	c.ship(to, b)
}

// passOn sends a channel's message after a chare that has left; payload under a tag is received first.
func (c *core) passOn(src, to int, b []byte) {
	if mode(b) != modeTagged {
		c.post(to, b)
		return
	}
	h := b[:channelLen]
	n, tag := int(le.Uint64(b[channelLen:])), uint16(word(b, channelLen+8))
	h[0] = byte(kindChannel) // in one piece from here on
	c.takeToPass(src, h, n, tag)
}

// takeToPass receives a channel's payload behind its header: the whole is then handled as a message, which goes on to
// where its chare is.
func (c *core) takeToPass(src int, h []byte, n int, tag uint16) {
	mem := c.host.get(channelLen + n)
	copy(mem.Bytes(), h)
	x := c.newMove(take, src, mem.Slice(channelLen, n))
	x.long, x.host, x.src = true, mem, mem.Slice(0, channelLen+n)
	c.receive(x, tag)
}
