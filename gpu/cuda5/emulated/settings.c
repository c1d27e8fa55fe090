/* The GPUBENCH_EMU_ variables: what there is, and reading them. Read once, when a driver is initialised; a wrong value
 * is one line of text that names the variable and the mend (gpubench_emu_check, before anything starts). */
#include "emu.h"
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

extern char **environ;

static const struct {
	const char *name, *form, *what;
} variables[] = {
	{ "GPUBENCH_EMU_DEVICES", "0 to 8", "emulated devices of this machine (2); CUDA_VISIBLE_DEVICES chooses among them" },
	{ "GPUBENCH_EMU_MEM", "BYTES, with K, M or G", "memory of each device (emulated: half of the machine's shared between them, 16G at most; cpu: the machine's)" },
	{ "GPUBENCH_EMU_PEER", "0 or 1", "whether emulated devices can access each other's memory (1)" },
	{ "GPUBENCH_EMU_IPC", "0 or 1", "whether device memory can be shared with other processes (1)" },
	{ "GPUBENCH_EMU_NODE", "any text", "goes into the UUIDs: two emulated nodes on one host differ by it (empty)" },
	{ "GPUBENCH_EMU_FAIL", "KIND:N:CODE,...", "the Nth alloc, copy or launch of the process ends with the CUDA error CODE (as alloc:3:2,copy:5:719,launch:1:700); errors of running work (214, 220, 700, 702, 710, 714 to 719, 999) come when it runs and stick to the context, others are the call's answer" },
	{ "GPUBENCH_EMU_FLIP", "copy:N[-][:BYTE[:BIT]],...", "flips a bit of the destination after the Nth copy of non-zero length, or all from the Nth on (copy:N-); BYTE counts from the start of the copied bytes (the last of the first 8), BIT from 0 (4)" },
	{ "GPUBENCH_EMU_DELAY_US", "0 to 60000000", "microseconds that every stream operation waits before it begins (0)" },
	{ "GPUBENCH_EMU_STALL", "op:N:MS or stream:N:MS,...", "the Nth stream operation of the process, or the first one of the Nth stream that is used, waits MS milliseconds before it begins" },
	{ "GPUBENCH_EMU_LOSE", "N", "the device that does the Nth stream operation is lost after it: later calls answer CUDA_ERROR_UNKNOWN, new contexts CUDA_ERROR_DEVICE_UNAVAILABLE" },
	{ "GPUBENCH_EMU_NVLINKS", "0 to 18", "shared object only: NVLinks of each device that its NVML tells of (18); UCX reads from the sender's memory with any, and writes to the receiver's with none" },
	{ "GPUBENCH_EMU_CALLS", "PATH", "shared object only: the number of calls of each function is written to PATH.<pid> at the end" },
};
enum { VARIABLES = sizeof variables / sizeof *variables };

int gpubench_emu_variable(int i, const char **name, const char **form, const char **what)
{
	if (i < 0 || i >= VARIABLES)
		return 0;
	*name = variables[i].name;
	*form = variables[i].form;
	*what = variables[i].what;
	return 1;
}

struct reader {
	char *text;
	size_t size;
	bool bad;
};

static void complain(struct reader *r, const char *name, const char *value, const char *more)
{
	if (r->bad)
		return;
	r->bad = true;
	const char *form = "";
	for (int i = 0; i < VARIABLES; i++)
		if (!strcmp(variables[i].name, name))
			form = variables[i].form;
	snprintf(r->text, r->size, "%s=\"%.60s\": want %s%s%s", name, value, form, *more ? "; " : "", more);
}

/* Reads a decimal number that ends at one of the characters in ends, or at the end of the text. */
static bool number(const char **s, const char *ends, uint64_t min, uint64_t max, uint64_t *out)
{
	const char *p = *s;
	uint64_t v = 0;
	if (*p < '0' || *p > '9')
		return false;
	for (; *p >= '0' && *p <= '9'; p++) {
		if (v > (UINT64_MAX - 9) / 10)
			return false;
		v = v * 10 + (uint64_t)(*p - '0');
	}
	if ((*p && !strchr(ends, *p)) || v < min || v > max)
		return false;
	*s = p;
	*out = v;
	return true;
}

static bool word(const char **s, const char *w)
{
	size_t n = strlen(w);
	if (strncmp(*s, w, n))
		return false;
	*s += n;
	return true;
}

static uint64_t plain(struct reader *r, const char *name, uint64_t min, uint64_t max, uint64_t otherwise)
{
	const char *v = getenv(name), *p = v;
	uint64_t n;
	if (!v || !*v)
		return otherwise;
	if (!number(&p, "", min, max, &n)) {
		complain(r, name, v, "");
		return otherwise;
	}
	return n;
}

static size_t bytes(struct reader *r, const char *name)
{
	const char *v = getenv(name), *p = v;
	uint64_t n;
	if (!v || !*v)
		return 0;
	int shift = 0;
	if (number(&p, "KMGkmg", 1, (uint64_t)1 << 50, &n)) {
		if (*p) {
			shift = *p == 'K' || *p == 'k' ? 10 : *p == 'M' || *p == 'm' ? 20 : 30;
			p++;
		}
		if (!*p && n <= ((uint64_t)1 << 50) >> shift)
			return (size_t)n << shift;
	}
	complain(r, name, v, "as 512M");
	return 0;
}

/* Each reads one entry and returns whether it is well formed; *s stands behind it then. */
static bool read_fail(const char **s, struct faults *f)
{
	static const char *const kinds[] = { "alloc:", "copy:", "launch:" };
	uint64_t n, code;
	for (int k = 0; k < FAULT_CLASSES; k++) {
		if (!word(s, kinds[k]))
			continue;
		if (!number(s, ":", 1, UINT64_MAX, &n) || !word(s, ":") || !number(s, ",", 1, 999, &code) ||
		    !emu_error_name((int)code))
			return false;
		f->fail[f->nfails].what = (enum fault_class)k;
		f->fail[f->nfails].n = n;
		f->fail[f->nfails++].code = (int)code;
		return true;
	}
	return false;
}

static bool read_flip(const char **s, struct faults *f)
{
	struct flip *x = &f->flip[f->nflips];
	uint64_t byte = 0, bit = 4;
	*x = (struct flip){ .bit = 4 };
	if (!word(s, "copy:") || !number(s, "-:,", 1, UINT64_MAX, &x->n))
		return false;
	x->onwards = word(s, "-");
	if (word(s, ":")) {
		x->where = true;
		if (!number(s, ":,", 0, (uint64_t)1 << 50, &byte) || (word(s, ":") && !number(s, ",", 0, 7, &bit)))
			return false;
		x->byte = (size_t)byte;
		x->bit = (int)bit;
	}
	f->nflips++;
	return true;
}

static bool read_stall(const char **s, struct faults *f)
{
	uint64_t n, ms;
	bool stream = word(s, "stream:");
	if ((!stream && !word(s, "op:")) || !number(s, ":", 1, UINT64_MAX, &n) || !word(s, ":") ||
	    !number(s, ",", 1, 86400000, &ms))
		return false;
	f->stall[f->nstalls].stream = stream;
	f->stall[f->nstalls].n = n;
	f->stall[f->nstalls++].ms = (unsigned)ms;
	return true;
}

static void list(struct reader *r, const char *name, bool (*entry)(const char **, struct faults *), struct faults *f,
                 const char *example)
{
	const char *v = getenv(name), *p = v;
	if (!v || !*v)
		return;
	for (int i = 0;; i++) {
		if (i == EMU_FAULTS) {
			complain(r, name, v, "16 entries at most");
			return;
		}
		if (!entry(&p, f) || (*p && *p != ',')) {
			complain(r, name, v, example);
			return;
		}
		if (!*p++)
			return;
	}
}

static void unknown_names(struct reader *r)
{
	static const char prefix[] = "GPUBENCH_EMU_";
	for (char **e = environ; e && *e; e++) {
		if (strncmp(*e, prefix, sizeof prefix - 1))
			continue;
		size_t n = strcspn(*e, "=");
		bool known = false;
		for (int i = 0; i < VARIABLES; i++)
			known |= strlen(variables[i].name) == n && !strncmp(*e, variables[i].name, n);
		if (known || r->bad)
			continue;
		r->bad = true;
		int at = snprintf(r->text, r->size, "%.*s: there is no such variable, unset it; there are", (int)(n < 60 ? n : 60), *e);
		for (int i = 0; i < VARIABLES && at > 0 && (size_t)at < r->size; i++)
			at += snprintf(r->text + at, r->size - (size_t)at, "%s %s", i ? "," : "",
			               variables[i].name + sizeof prefix - 1);
	}
}

bool emu_settings_parse(struct settings *s, char *text, size_t size)
{
	struct reader r = { .text = text, .size = size };
	memset(s, 0, sizeof *s);
	unknown_names(&r);
	s->devices = (int)plain(&r, "GPUBENCH_EMU_DEVICES", 0, EMU_MAX_DEVICES, 2);
	s->memory = bytes(&r, "GPUBENCH_EMU_MEM");
	s->peer = plain(&r, "GPUBENCH_EMU_PEER", 0, 1, 1) != 0;
	s->ipc = plain(&r, "GPUBENCH_EMU_IPC", 0, 1, 1) != 0;
	s->node = getenv("GPUBENCH_EMU_NODE");
	plain(&r, "GPUBENCH_EMU_NVLINKS", 0, 18, 18); /* nvml/nvml.c reads it; here it is only looked at */
	struct faults *f = &s->faults;
	list(&r, "GPUBENCH_EMU_FAIL", read_fail, f, "KIND alloc, copy or launch, N from 1, CODE a CUDA error code, as alloc:3:2");
	list(&r, "GPUBENCH_EMU_FLIP", read_flip, f, "N from 1, BIT 0 to 7, as copy:5 or copy:5-:0:7");
	list(&r, "GPUBENCH_EMU_STALL", read_stall, f, "N from 1, MS 1 to 86400000, as op:10:500");
	f->delay_us = (unsigned)plain(&r, "GPUBENCH_EMU_DELAY_US", 0, 60000000, 0);
	f->lose = plain(&r, "GPUBENCH_EMU_LOSE", 1, UINT64_MAX, 0);
	f->on = f->delay_us || f->nfails || f->nflips || f->nstalls || f->lose;
	return !r.bad;
}

int gpubench_emu_check(char *text, size_t size)
{
	struct settings s;
	return !emu_settings_parse(&s, text, size);
}
