// Runs every kernel twice with the same parameters, as its CPU loop (x.cpp, in parts) and as its GPU wrapper (x.cu, on
// cuda_on_cpu.h), over random sizes, regions, masks and grids, and compares all memory they can reach, margins
// included. So what a wrapper does with indices is tested without a GPU. compare [TRIALS [SEED]]
#include "cuda_on_cpu.h"

#include "../check.h"
#include "../jacobi3d.h"
#include "../pic.h"
#include "../reduce.h"

#include <math.h>
#include <random>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <vector>

typedef int64_t i64;
typedef uint64_t u64;

// The GPU's, as the .cu files define them.
extern "C" {
void jacobi3d(const double *, double *, i64, i64, i64, i64, i64, i64, i64, i64, i64);
void jacobi3d_shell(const double *, double *, i64, i64, i64, i64, i64, i64);
void stencil2d(const double *, double *, i64, i64, i64, i64, i64, i64);
void stencil2d_shell(const double *, double *, i64, i64, i64, i64);
void faces_pack(double *, double *, double *, double *, double *, double *, double *, i64, i64, i64, i64, i64, i64);
void faces_unpack(double *, double *, double *, double *, double *, double *, double *, i64, i64, i64, i64, i64, i64);
void field_modes(double *, const double *, i64, i64, i64, i64, i64, i64, double, double, double, double);
void field_constant(double *, i64, i64, i64, i64, i64, i64, double, double, double);
void check_modes(const double *, const double *, gb_check *, i64, i64, i64, i64, i64, i64, double, double, double,
                 double, double);
void check_reference(const double *, const double *, gb_check *, i64, i64, i64, i64, i64, i64, i64, i64, i64, i64, i64,
                     double);
void check_join(gb_check *, i64);
void pattern_fill(uint8_t *, i64, i64, i64);
void pattern_check(const uint8_t *, gb_check *, i64, i64, i64, i64);
void reduce_sum(const double *, gb_reduced *, i64, i64);
void reduce_max(const double *, gb_reduced *, i64, i64);
void reduce_sum_join(const gb_reduced *, gb_reduced *, i64);
void reduce_max_join(const gb_reduced *, gb_reduced *, i64);
void combine_sum(double *, const double *, i64);
void combine_max(double *, const double *, i64);
void vector_fill(double *, i64, i64, i64, i64);
void vector_check(const double *, gb_check *, i64, i64, i64, i64, i64);
void stream_copy(double *, const double *, i64, i64);
void stream_triad(double *, const double *, const double *, i64, i64, double);
void gate_wait(const uint32_t *, i64, i64);
void gate_nothing(i64);
void pic_move(double *, const double *, uint8_t *, i64 *, i64, i64, i64, i64, i64, i64, i64, i64, i64, i64, i64, i64);
void pic_scan(i64 *, i64 *, i64);
void pic_pack(const double *, const uint8_t *, const i64 *, const i64 *, double *, i64 *, i64, i64, i64, i64);
void pic_fill(double *, const i64 *, const i64 *, i64, i64, i64);
void pic_append(double *, const double *, i64, i64, i64, i64, i64, i64, i64, i64, i64, i64);
void pic_check(const double *, gb_check *, i64, i64, i64, double, double, double, double);
void task_compute(uint8_t *, double *, i64, i64, i64, i64, i64);
void task_memory(uint8_t *, u64 *, i64, i64, i64, i64, i64, i64, i64);
void task_check(const uint8_t *, gb_check *, i64, i64, i64, i64);

// The CPU's.
#define BODY(name) void name(const uint64_t *, const gb_launch *);
BODY(gb_jacobi3d) BODY(gb_jacobi3d_shell) BODY(gb_faces_pack) BODY(gb_faces_unpack) BODY(gb_field_modes)
BODY(gb_field_constant) BODY(gb_check_modes) BODY(gb_check_reference) BODY(gb_check_join_slots) BODY(gb_pattern_fill)
BODY(gb_pattern_check) BODY(gb_reduce_sum) BODY(gb_reduce_max) BODY(gb_reduce_sum_join) BODY(gb_reduce_max_join)
BODY(gb_combine_sum) BODY(gb_combine_max) BODY(gb_stream_copy) BODY(gb_stream_triad) BODY(gb_vector_fill)
BODY(gb_vector_check) BODY(gb_gate_wait) BODY(gb_gate_nothing) BODY(gb_stencil2d) BODY(gb_stencil2d_shell)
BODY(gb_pic_move_all) BODY(gb_pic_scan) BODY(gb_pic_pack) BODY(gb_pic_fill) BODY(gb_pic_append) BODY(gb_pic_check_all)
BODY(gb_task_compute) BODY(gb_task_memory) BODY(gb_task_check)
#undef BODY
}

static std::mt19937_64 rng;
static i64 pick(i64 lo, i64 hi) { return std::uniform_int_distribution<i64>(lo, hi)(rng); }
static double real() { return std::uniform_real_distribution<double>(-1, 1)(rng); }
static u64 bits(double d) {
	u64 u;
	memcpy(&u, &d, 8);
	return u;
}

// Memory twice over, on cache lines: one for the CPU's loop, one for the GPU's wrapper, both with a line before and
// after that must stay as it is. With `aligned` false it begins somewhere in a line.
struct twin {
	size_t n, shift, bytes; // float64s, float64s past the line, all bytes
	double *side[2];        // CPU, GPU
	twin(i64 cells, bool aligned = true) : n(cells), shift(8 + (aligned ? 0 : pick(0, 7))) {
		bytes = (shift + n + 8 + 7) / 8 * 64;
		for (double *&s : side) s = (double *)aligned_alloc(64, bytes);
		for (size_t i = 0; i < bytes / 8; i++) side[0][i] = side[1][i] = real();
	}
	twin(twin &&o) : n(o.n), shift(o.shift), bytes(o.bytes), side{o.side[0], o.side[1]} { o.side[0] = o.side[1] = nullptr; }
	~twin() {
		for (double *s : side) free(s);
	}
	u64 at(bool on_gpu) { return (u64)(uintptr_t)(side[on_gpu] + shift); }
	double *host() { return side[0] + shift; }
	void same() { memcpy(side[1], side[0], bytes); } // after a change of host()'s cells
	bool equal() { return memcmp(side[0], side[1], bytes) == 0; }
};

static int failures;
static void fail(const char *name, const std::vector<u64> &args) {
	printf("%s: the GPU's wrapper and the CPU's loop differ; parameters", name);
	for (u64 a : args) printf(" %lld", (long long)a);
	printf("\n");
	failures++;
}

// both runs a kernel twice. Pointers come first, in `memory`; `values` are the rest of the parameters.
template <class... A>
static void both(const char *name, void (*gpu)(A...), gb_body cpu, dim3 grid, dim3 block, std::vector<twin *> memory,
                 std::vector<u64> values) {
	std::vector<u64> args;
	for (twin *t : memory) args.push_back(t->at(false));
	args.insert(args.end(), values.begin(), values.end());
	if (args.size() != sizeof...(A)) {
		printf("%s: %zu parameters given, %zu taken\n", name, args.size(), sizeof...(A));
		failures++;
		return;
	}
	const uint32_t parts = pick(1, 5);
	for (uint32_t part = parts; part-- > 0;) {
		gb_launch l = {{grid.x, grid.y, grid.z}, {block.x, block.y, block.z}, 0, 0, part, parts};
		cpu(args.data(), &l);
	}
	for (size_t i = 0; i < memory.size(); i++) args[i] = memory[i]->at(true);
	launch(gpu, grid, block, args.data());
}

static void expect(const char *name, std::vector<twin *> memory, std::vector<u64> values) {
	for (twin *t : memory)
		if (!t->equal()) return fail(name, values);
}

struct block {
	i64 nx, ny, nz, pitch, plane, len;
	// flat: of two dimensions, whose only plane is z = 1; by default one of three.
	block(bool flat = pick(0, 3) == 0) : nx(pick(1, 40)), ny(pick(1, 12)), nz(flat ? 1 : pick(1, 12)) {
		pitch = (nx + 2 + 7) / 8 * 8;
		plane = flat ? 0 : pitch * (ny + 2);
		len = 8 + (flat ? pitch * (ny + 2) : plane * (nz + 2));
	}
	u64 mask() const { return pick(0, 63) & (plane ? 63 : 15); } // of its faces
};

static uint32_t blocks(i64 n, i64 threads) { return n <= 0 ? 1 : (n + threads - 1) / threads; }

static void test_jacobi3d() {
	block b(false);
	twin in(b.len), out(b.len);
	const i64 x0 = pick(1, b.nx), x1 = pick(x0, b.nx + 1), y0 = pick(1, b.ny), y1 = pick(y0, b.ny + 1),
	          z0 = pick(1, b.nz), z1 = pick(z0, b.nz + 1);
	const i64 first = (x0 - 1) / 8 * 8 + 1;
	std::vector<u64> v = {(u64)b.pitch, (u64)b.plane, (u64)x0, (u64)x1, (u64)y0, (u64)y1, (u64)z0, (u64)z1, (u64)pick(0, 1)};
	both("jacobi3d", jacobi3d, gb_jacobi3d, {blocks(x1 - first, 32), blocks(y1 - y0, 4), (uint32_t)pick(1, b.nz)}, {32, 4, 1},
	     {&in, &out}, v);
	expect("jacobi3d", {&in, &out}, v);

	const i64 mask = pick(0, 63);
	twin out2(b.len);
	v = {(u64)b.pitch, (u64)b.plane, (u64)b.nx, (u64)b.ny, (u64)b.nz, (u64)mask};
	both("jacobi3d_shell", jacobi3d_shell, gb_jacobi3d_shell, {blocks(b.nx * b.ny * b.nz, 128), 1, 1}, {128, 1, 1},
	     {&in, &out2}, v);
	expect("jacobi3d_shell", {&in, &out2}, v);
}

static void test_stencil2d() {
	block b(true);
	twin in(b.len), out(b.len), out2(b.len);
	const i64 x0 = pick(1, b.nx), x1 = pick(x0, b.nx + 1), y0 = pick(1, b.ny), y1 = pick(y0, b.ny + 1);
	std::vector<u64> v = {(u64)b.pitch, (u64)x0, (u64)x1, (u64)y0, (u64)y1, (u64)pick(0, 1)};
	both("stencil2d", stencil2d, gb_stencil2d, {blocks(x1 - (x0 - 1) / 8 * 8 - 1, 128), (uint32_t)pick(1, b.ny), 1},
	     {128, 1, 1}, {&in, &out}, v);
	expect("stencil2d", {&in, &out}, v);
	v = {(u64)b.pitch, (u64)b.nx, (u64)b.ny, b.mask()};
	both("stencil2d_shell", stencil2d_shell, gb_stencil2d_shell, {blocks(b.nx * b.ny, 128), 1, 1}, {128, 1, 1},
	     {&in, &out2}, v);
	expect("stencil2d_shell", {&in, &out2}, v);
}

static void test_faces() {
	block b;
	twin field(b.len);
	std::vector<twin> f;
	for (i64 cells : {b.ny * b.nz, b.ny * b.nz, b.nx * b.nz, b.nx * b.nz, b.nx * b.ny, b.nx * b.ny}) f.emplace_back(cells);
	std::vector<twin *> memory = {&field};
	i64 total = 0;
	for (twin &t : f) memory.push_back(&t), total += t.n;
	std::vector<u64> v = {(u64)b.pitch, (u64)b.plane, (u64)b.nx, (u64)b.ny, (u64)b.nz, b.mask()};
	if (pick(0, 1)) {
		both("faces_pack", faces_pack, gb_faces_pack, {blocks(total, 256), 1, 1}, {256, 1, 1}, memory, v);
		expect("faces_pack", memory, v);
	} else {
		both("faces_unpack", faces_unpack, gb_faces_unpack, {blocks(total, 256), 1, 1}, {256, 1, 1}, memory, v);
		expect("faces_unpack", memory, v);
	}
}

static void test_field() {
	block b;
	twin field(b.len), sines(2 * (b.nx + b.ny + b.nz));
	std::vector<u64> v = {(u64)b.pitch, (u64)b.plane, (u64)b.nx, (u64)b.ny, (u64)b.nz, (u64)pick(0, 63)};
	std::vector<u64> m = v;
	for (int i = 0; i < 4; i++) m.push_back(bits(real()));
	both("field_modes", field_modes, gb_field_modes, {blocks(b.len, 256), 1, 1}, {256, 1, 1}, {&field, &sines}, m);
	expect("field_modes", {&field, &sines}, m);
	for (int i = 0; i < 3; i++) v.push_back(bits(real()));
	both("field_constant", field_constant, gb_field_constant, {blocks(b.len, 256), 1, 1}, {256, 1, 1}, {&field}, v);
	expect("field_constant", {&field}, v);
}

static bool alike(double a, double b) { return a == b || (a != a && b != b); }

// join makes one result of the slots on both sides and compares; sums agree to the last bit, what they lack nearly.
static void join(const char *name, twin &results, i64 slots, const std::vector<u64> &v) {
	both("check_join", check_join, gb_check_join_slots, {1, 1, 1}, {GB_CHECK_THREADS, 1, 1}, {&results}, {(u64)slots});
	gb_check c, g;
	memcpy(&c, (void *)(uintptr_t)results.at(false), sizeof c);
	memcpy(&g, (void *)(uintptr_t)results.at(true), sizeof g);
	if (c.checked != g.checked || c.errors != g.errors || c.first != g.first || !alike(c.found, g.found) ||
	    !alike(c.expected, g.expected) || !alike(c.max_error, g.max_error) || !alike(c.sum, g.sum) ||
	    fabs(c.lost - g.lost) > 1e-25) {
		printf("checked %lld %lld, errors %lld %lld, first %lld %lld, max %g %g, sum %.17g %.17g, lost %g %g\n",
		       (long long)c.checked, (long long)g.checked, (long long)c.errors, (long long)g.errors, (long long)c.first,
		       (long long)g.first, c.max_error, g.max_error, c.sum, g.sum, c.lost, g.lost);
		fail(name, v);
	}
}

static void test_check() {
	block b;
	const i64 slots = pick(1, 9);
	const dim3 grid = {(uint32_t)slots, 1, 1}, threads = {GB_CHECK_THREADS, 1, 1};
	const double tolerance = pick(0, 2) ? 0.5 : 2;
	std::vector<u64> v = {(u64)b.pitch, (u64)b.plane, (u64)b.nx, (u64)b.ny, (u64)b.nz, (u64)slots};

	twin field(b.len), sines(2 * (b.nx + b.ny + b.nz)), results(slots * 8);
	if (pick(0, 1)) {
		field.host()[gb_at(pick(1, b.nx), pick(1, b.ny), pick(1, b.nz), b.pitch, b.plane)] = NAN;
		field.same();
	}
	std::vector<u64> m = v;
	for (int i = 0; i < 4; i++) m.push_back(bits(real()));
	m.push_back(bits(tolerance));
	both("check_modes", check_modes, gb_check_modes, grid, threads, {&field, &sines, &results}, m);
	expect("check_modes", {&field, &sines}, m);
	join("check_modes", results, slots, m);

	const i64 dx = pick(0, 9), dy = pick(0, 3), dz = b.plane ? pick(0, 3) : 0;
	const i64 rpitch = (b.nx + dx + 2 + 7) / 8 * 8, rplane = b.plane ? rpitch * (b.ny + dy + 2) : 0;
	twin reference(8 + rpitch * (b.ny + dy + 2) * (b.nz + dz + 2));
	m = v;
	for (i64 a : {rpitch, rplane, dx, dy, dz}) m.push_back(a);
	m.push_back(bits(tolerance));
	both("check_reference", check_reference, gb_check_reference, grid, threads, {&field, &reference, &results}, m);
	expect("check_reference", {&field, &reference}, m);
	join("check_reference", results, slots, m);
}

static void test_pattern() {
	const i64 n = pick(0, 3) ? pick(1, 3000) : pick(1, 16), slots = pick(1, 5), step = pick(0, 1000), sender = pick(0, 64);
	// A message may begin at any byte.
	const u64 shift = pick(0, 7);
	twin bytes(n / 8 + 3), results(slots * 8);
	auto shifted = [&](const char *name, auto gpu, gb_body cpu, std::vector<twin *> rest, std::vector<u64> values, dim3 grid) {
		std::vector<u64> v = values;
		const uint32_t parts = pick(1, 5);
		for (int on_gpu = 0; on_gpu < 2; on_gpu++) {
			std::vector<u64> args = {bytes.at(on_gpu) + shift};
			for (twin *t : rest) args.push_back(t->at(on_gpu));
			args.insert(args.end(), v.begin(), v.end());
			for (uint32_t part = 0; part < parts && !on_gpu; part++) {
				gb_launch l = {{grid.x, 1, 1}, {GB_CHECK_THREADS, 1, 1}, 0, 0, part, parts};
				cpu(args.data(), &l);
			}
			if (on_gpu) launch(gpu, grid, {GB_CHECK_THREADS, 1, 1}, args.data());
		}
		expect(name, {&bytes}, values);
	};
	std::vector<u64> v = {(u64)n, (u64)step, (u64)sender};
	shifted("pattern_fill", pattern_fill, gb_pattern_fill, {}, v, {(uint32_t)pick(1, 3), 1, 1});
	for (int flips = pick(0, 2); flips > 0; flips--) {
		((uint8_t *)bytes.host())[shift + pick(0, n - 1)] ^= 1 << pick(0, 7);
		bytes.same();
	}
	v.push_back(slots);
	shifted("pattern_check", pattern_check, gb_pattern_check, {&results}, v, {(uint32_t)slots, 1, 1});
	join("pattern_check", results, slots, v);
}

static void test_reduce() {
	const i64 n = pick(0, 3) ? pick(0, 3000) : pick(0, 9), slots = pick(1, 5);
	const dim3 grid = {(uint32_t)slots, 1, 1}, threads = {GB_REDUCE_THREADS, 1, 1};
	twin in(n, false), partial(2 * slots), out(2), acc(n, false);
	if (n > 0 && pick(0, 4) == 0) {
		in.host()[pick(0, n - 1)] = pick(0, 1) ? NAN : INFINITY;
		in.same();
	}
	const bool max = pick(0, 1);
	std::vector<u64> v = {(u64)n, (u64)slots};
	both("reduce", max ? reduce_max : reduce_sum, max ? gb_reduce_max : gb_reduce_sum, grid, threads, {&in, &partial}, v);
	expect("reduce", {&in}, v);
	both("join", max ? reduce_max_join : reduce_sum_join, max ? gb_reduce_max_join : gb_reduce_sum_join, {1, 1, 1},
	     threads, {&partial, &out}, {(u64)slots});
	double c[2], g[2];
	memcpy(c, (void *)(uintptr_t)out.at(false), 16);
	memcpy(g, (void *)(uintptr_t)out.at(true), 16);
	if (!alike(c[0], g[0]) || fabs(c[1] - g[1]) > 1e-25) {
		printf("value %.17g %.17g, lost %g %g\n", c[0], g[0], c[1], g[1]);
		fail(max ? "reduce_max" : "reduce_sum", v);
	}
	both("combine", max ? combine_max : combine_sum, max ? gb_combine_max : gb_combine_sum, {(uint32_t)pick(1, 3), 1, 1},
	     threads, {&acc, &in}, {(u64)n});
	for (i64 i = 0; i < n; i++) {
		double a, b;
		memcpy(&a, (char *)(uintptr_t)acc.at(false) + 8 * i, 8);
		memcpy(&b, (char *)(uintptr_t)acc.at(true) + 8 * i, 8);
		if (!alike(a, b)) return fail(max ? "combine_max" : "combine_sum", v);
	}
}

static void test_vector() {
	const i64 n = pick(0, 3) ? pick(1, 3000) : pick(1, 9), slots = pick(1, 5), step = pick(0, 1000);
	const dim3 threads = {GB_CHECK_THREADS, 1, 1};
	twin vector(n, false), results(slots * 8);
	std::vector<u64> v = {(u64)n, (u64)pick(0, 1000), (u64)step, 0};
	both("vector_fill", vector_fill, gb_vector_fill, {(uint32_t)pick(1, 3), 1, 1}, threads, {&vector}, v);
	expect("vector_fill", {&vector}, v);
	for (int wrong = pick(0, 2); wrong > 0; wrong--) {
		vector.host()[pick(0, n - 1)] = pick(0, 1) ? NAN : 0.5;
		vector.same();
	}
	v = {(u64)n, v[1], (u64)step, (u64)pick(1, 2), (u64)slots};
	both("vector_check", vector_check, gb_vector_check, {(uint32_t)slots, 1, 1}, threads, {&vector, &results}, v);
	expect("vector_check", {&vector}, v);
	join("vector_check", results, slots, v);
}

static void test_stream() {
	const i64 n = pick(1, 3000);
	const bool aligned = pick(0, 1);
	twin a(n, aligned), b(n, aligned), c(n, aligned);
	const dim3 grid = {(uint32_t)pick(1, 3), 1, 1}, threads = {256, 1, 1};
	std::vector<u64> v = {(u64)n, (u64)pick(0, 1)};
	both("stream_copy", stream_copy, gb_stream_copy, grid, threads, {&a, &b}, v);
	expect("stream_copy", {&a, &b}, v);
	v.push_back(bits(real()));
	both("stream_triad", stream_triad, gb_stream_triad, grid, threads, {&a, &b, &c}, v);
	expect("stream_triad", {&a, &b, &c}, v);
}

// An open gate and one that nobody opens let both go on, and neither writes.
static void test_gate() {
	twin word(1);
	const u64 value = (u64)pick(0, 3);
	memcpy(word.host(), &value, 8);
	word.same();
	const std::vector<u64> v = {(u64)pick(0, 3), (u64)pick(0, 20)};
	both("gate_wait", gate_wait, gb_gate_wait, {1, 1, 1}, {1, 1, 1}, {&word}, v);
	expect("gate_wait", {&word}, v);
	both("gate_nothing", gate_nothing, gb_gate_nothing, {1, 1, 1}, {1, 1, 1}, {}, {0});
}

// Particles of a block; a few of them in another block or nowhere, as damaged ones may be.
static void test_pic() {
	const i64 n = pick(0, 3) ? pick(0, 2000) : pick(0, 9), capacity = n + pick(0, 5), room = pick(0, 2) ? n : pick(0, n);
	const i64 slots = pick(1, 6), cells = 2 * pick(4, 30), across = pick(1, 5), up = pick(1, 5), bx = pick(0, across - 1),
	          by = pick(0, up - 1);
	const i64 left = bx * cells / across, right = (bx + 1) * cells / across, bottom = by * cells / up,
	          top = (by + 1) * cells / up;
	twin p(GB_PIC_FIELDS * capacity), charges((right - left + 1) * (top - bottom + 1)), classes(capacity / 8 + 1);
	twin counts(slots * GB_PIC_CLASSES), totals(GB_PIC_CLASSES), out(GB_PIC_FIELDS * room), moves(2 * room);
	for (i64 i = 0; i < n; i++) {
		const bool odd = pick(0, 50) == 0;
		p.host()[GB_PIC_X * capacity + i] = odd ? 200 * real() : left + 0.5 + pick(0, right - left - 1);
		p.host()[GB_PIC_Y * capacity + i] = odd && pick(0, 1) ? NAN : bottom + 0.5 + pick(0, top - bottom - 1);
		p.host()[GB_PIC_VX * capacity + i] = pick(-1, 1);
	}
	p.same();
	const dim3 grid = {(uint32_t)slots, 1, 1}, threads = {GB_PIC_THREADS, 1, 1};
	std::vector<u64> v = {(u64)n, (u64)capacity, (u64)left, (u64)right, (u64)bottom, (u64)top, (u64)cells, (u64)bx, (u64)by,
	                      (u64)across, (u64)up, (u64)slots};
	both("pic_move", pic_move, gb_pic_move_all, grid, threads, {&p, &charges, &classes, &counts}, v);
	expect("pic_move", {&p, &charges, &classes, &counts}, v);
	both("pic_scan", pic_scan, gb_pic_scan, {1, 1, 1}, threads, {&counts, &totals}, {(u64)slots});
	expect("pic_scan", {&counts, &totals}, v);
	v = {(u64)n, (u64)capacity, (u64)room, (u64)slots};
	both("pic_pack", pic_pack, gb_pic_pack, grid, threads, {&p, &classes, &counts, &totals, &out, &moves}, v);
	expect("pic_pack", {&p, &classes, &counts, &totals, &out, &moves}, v);
	v.pop_back();
	both("pic_fill", pic_fill, gb_pic_fill, {(uint32_t)pick(1, 3), 1, 1}, threads, {&p, &totals, &moves}, v);
	expect("pic_fill", {&p, &totals, &moves}, v);

	v = {(u64)n, (u64)n + 160};
	i64 sum = 0;
	for (int m = 0; m < GB_PIC_CLASSES - 1; m++) v.push_back(pick(0, 1) * pick(0, 20)), sum += v.back();
	twin in(GB_PIC_FIELDS * sum), all(GB_PIC_FIELDS * (n + 160)), results(slots * 8);
	both("pic_append", pic_append, gb_pic_append, {(uint32_t)pick(1, 3), 1, 1}, threads, {&all, &in}, v);
	expect("pic_append", {&all, &in}, v);
	v = {(u64)n, (u64)n + 160, (u64)slots, bits(2), bits(0.5), bits(1), bits(1.5)};
	both("pic_check", pic_check, gb_pic_check_all, grid, threads, {&all, &results}, v);
	expect("pic_check", {&all}, v);
	join("pic_check", results, slots, v);
}

static void test_task() {
	const i64 n = pick(16, 1000), step = pick(0, 1000), point = pick(0, 64), blocks = pick(1, 3);
	const dim3 grid = {(uint32_t)blocks, 1, 1}, lanes = {64, 1, 1};
	twin out(n / 8 + 2), values(64 * blocks);
	std::vector<u64> v = {(u64)n, (u64)step, (u64)point, (u64)pick(0, 50), (u64)blocks};
	both("task_compute", task_compute, gb_task_compute, grid, lanes, {&out, &values}, v);
	expect("task_compute", {&out, &values}, v);

	const i64 pieces = pick(1, 5), words = 2 * pick(1, 200);
	twin scratch(pieces * words);
	v = {(u64)n, (u64)step, (u64)point, (u64)pick(0, 9), (u64)pick(0, 9), (u64)pieces, (u64)words};
	both("task_memory", task_memory, gb_task_memory, grid, lanes, {&out, &scratch}, v);
	expect("task_memory", {&out, &scratch}, v);

	const i64 slots = pick(1, 5);
	twin results(slots * 8);
	if (pick(0, 1)) {
		((uint8_t *)out.host())[pick(0, n - 1)] ^= 1 << pick(0, 7);
		out.same();
	}
	v = {(u64)n, (u64)step, (u64)point, (u64)slots};
	both("task_check", task_check, gb_task_check, {(uint32_t)slots, 1, 1}, {GB_CHECK_THREADS, 1, 1}, {&out, &results}, v);
	join("task_check", results, slots, v);
}

int main(int argc, char **argv) {
	const long trials = argc > 1 ? atol(argv[1]) : 200;
	const u64 seed = argc > 2 ? strtoull(argv[2], nullptr, 10) : std::random_device()();
	rng.seed(seed);
	printf("compare: %ld trials of every kernel, seed %llu\n", trials, (unsigned long long)seed);
	void (*const tests[])() = {test_jacobi3d, test_stencil2d, test_faces,  test_field, test_check, test_pattern, test_reduce,
	                        test_stream,   test_vector,    test_gate,   test_pic,   test_task};
	for (long i = 0; i < trials && failures < 10; i++)
		for (auto *t : tests) t();
	printf("compare: %d failures\n", failures);
	return failures > 0;
}
