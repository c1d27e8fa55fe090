// The presets themselves.

package preset

// study is where the ESPM2 2021 study's programs, batch scripts and notebooks are: UIUC-PPL/charm4py-mpi4py-compare, branch
// espm2_2021. Figures are named as its notebooks save them.
const study = "UIUC-PPL/charm4py-mpi4py-compare, espm2_2021: "

// trials are the study's method: ten passes, each in another order.
var trials = []Setting{{"trials", "10", Fixed}, {"order", "random", Fixed}}

// between processes is where the study measured.
const between = "mpi,ucx"

// messages is a ping-pong or bandwidth run over the sizes that the study plots.
func messages(name, benchmark, path, doc, source string, more ...Setting) Preset {
	s := []Setting{{"transport", between, Fixed}, {"path", path, Fixed}, {"pes", "2", PEs}, {"message-size", "16:4M", Fixed}}
	return Preset{Name: name, Doc: doc, Source: source, Benchmarks: []string{benchmark}, Device: path != "host",
		Settings: append(append(s, more...), trials...)}
}

// problem is an application's run.
func problem(name, benchmark, path, pes, doc, source string, more ...Setting) Preset {
	s := []Setting{{"transport", between, Fixed}, {"path", path, Fixed}, {"pes", pes, PEs}}
	return Preset{Name: name, Doc: doc, Source: source, Benchmarks: []string{benchmark}, Device: path != "host",
		Settings: append(append(s, more...), trials...)}
}

// Numbers of PEs in the study's runs.
const (
	stampede = "6,12,24,48,96,192,384,768,1536,3072,6144"
	summit   = "6,12,24,48,96,192,384,768,1536" // six GPUs a node, 1 to 256 nodes
)

// pic is the particles of all of the study's runs.
var pic = []Setting{{"particles", "6400000", Count}, {"cells", "5998", Side}, {"distribution", "geometric", Fixed}, {"rho", "0.999", Column},
	{"iterations", "1000", Iters}, {"warmup", "1", Fixed}}

func with(s []Setting, more ...Setting) []Setting { return append(append([]Setting{}, s...), more...) }

// All lists the presets in the order in which they are shown.
var All = []Preset{
	messages("espm21-latency-cpu", "pingpong", "host", "ping-pong latency in host memory, 16 B to 4 MiB",
		study+"scripts/microbench/lat_script*.py; all_lat_intrasocket_chmpi, all_lat_intersocket_chmpi, all_lat_internode_chmpi",
		Setting{"iterations", "1000", Iters}, Setting{"warmup", "60", Fixed}),
	messages("espm21-bandwidth-cpu", "bandwidth", "host", "bandwidth in host memory, windows of 64, 16 B to 4 MiB",
		study+"scripts/microbench/bw_script*.py; all_bw_intrasocket_chmpi, all_bw_intersocket_chmpi, all_bw_internode_chmpi",
		Setting{"window", "64", Fixed}, Setting{"iterations", "100", Iters}, Setting{"warmup", "10", Fixed}),
	messages("espm21-latency-gpu", "pingpong", "direct", "ping-pong latency in device memory, 16 B to 4 MiB",
		study+"scripts/microbench/lat_script_gpu*.py; all_lat_intranode_gpu, all_lat_internode_gpu",
		Setting{"iterations", "1000", Iters}, Setting{"warmup", "60", Fixed}),
	messages("espm21-bandwidth-gpu", "bandwidth", "direct", "bandwidth in device memory, windows of 64, 16 B to 4 MiB",
		study+"scripts/microbench/bw_script_gpu*.py; all_bw_intranode_gpu, all_bw_internode_gpu",
		Setting{"window", "64", Fixed}, Setting{"iterations", "500", Iters}, Setting{"warmup", "10", Fixed}),

	problem("espm21-stencil2d-weak-cpu", "stencil2d", "host", stampede, "Stencil2D in weak scaling on CPUs",
		study+"scripts/stencil/weak_scaling.py; stencil_weak_scaling",
		Setting{"scaling", "weak", Fixed}, Setting{"grid", "8192,24576", Cells}, Setting{"iterations", "100", Iters}, Setting{"warmup", "10", Fixed}),
	problem("espm21-stencil2d-strong-cpu", "stencil2d", "host", stampede, "Stencil2D in strong scaling on CPUs",
		study+"scripts/stencil/strong_scaling.py; stencil_strong_scaling_smallprocs, stencil_strong_scaling_largeprocs",
		Setting{"grid", "24576,24576", Cells}, Setting{"iterations", "100", Iters}, Setting{"warmup", "10", Fixed}),
	problem("espm21-stencil2d-odf", "stencil2d", "host", "6,12,24,48,96,192", "Stencil2D with 1, 2 and 8 chares per PE",
		study+"analysis/analyze_stencil.ipynb; odf_stencil_smallprocs, odf_stencil_largeprocs",
		Setting{"model", "charm", Fixed}, Setting{"grid", "24576,24576", Cells}, Setting{"odf", "1,2,8", Fixed},
		Setting{"iterations", "100", Iters}, Setting{"warmup", "10", Fixed}),
	problem("espm21-stencil2d-weak-gpu", "stencil2d", "direct", summit, "Stencil2D in weak scaling on GPUs",
		study+"scripts/stencil/weak_scaling_gpu.py; stencil_weak_scaling_gpu",
		Setting{"scaling", "weak", Fixed}, Setting{"grid", "24576,36864", Cells}, Setting{"iterations", "100", Iters}, Setting{"warmup", "10", Fixed}),
	problem("espm21-stencil2d-strong-gpu", "stencil2d", "direct", summit, "Stencil2D in strong scaling on GPUs",
		study+"scripts/stencil/strong_scaling_gpu.py; stencil_strong_scaling_smallprocs_gpu, stencil_strong_scaling_largeprocs_gpu",
		Setting{"grid", "73728,73728", Cells}, Setting{"iterations", "100", Iters}, Setting{"warmup", "10", Fixed}),

	problem("espm21-pic-strong", "pic", "host", "24,48,96,192,384,768", "PIC in strong scaling: ranks; chares, 1 and 8 per PE, without and with balancing",
		study+"scripts/pic/pic_script_strong_scaling.py; pic_strong_scaling",
		with(pic, Setting{"odf", "1,8", Fixed}, Setting{"balance", "none,greedy", Fixed}, Setting{"balance-every", "80", Period})...),
	problem("espm21-pic-odf-period", "pic", "host", "384", "PIC over chares per PE and balancing periods",
		study+"scripts/pic/pic_script.py",
		with(pic, Setting{"model", "charm", Fixed}, Setting{"odf", "1,2,4,8,16", Fixed}, Setting{"balance", "greedy", Fixed},
			Setting{"balance-every", "10,20,40,80,160", Period})...),

	problem("gpudirect-jacobi3d-strong", "jacobi3d", "staged,direct", "48,96,192,384,768,1536", "Jacobi3D in strong scaling on GPUs, staged and direct",
		"Charm++, AMPI and Charm4Py, examples of cuda/gpudirect/jacobi3d and their batch scripts (Choi et al., Parallel Computing 2022)",
		Setting{"grid", "3072,3072,3072", Cells}, Setting{"iterations", "100", Iters}, Setting{"warmup", "10", Fixed}),
	{Name: "osu-pt2pt", Doc: "point to point in host memory, one way, both ways and in pairs, 1 B to 4 MiB",
		Source:     "the OSU Micro-Benchmarks 7.4, c/mpi/pt2pt: osu_latency, osu_bw, osu_bibw, osu_multi_lat, osu_mbw_mr, with their defaults",
		Benchmarks: []string{"pingpong", "bandwidth", "bibandwidth", "multi_latency", "multi_bandwidth"},
		Settings:   []Setting{{"model", "mpi", Fixed}, {"transport", "mpi", Fixed}, {"path", "host", Fixed}, {"pes", "2", PEs}, {"message-size", "1:4M", Fixed}}},
}
