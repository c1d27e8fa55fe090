/* Graphs: nodes and their order, executable graphs, launching and updating them. A launch runs the nodes one after the
 * other in an order that the dependencies allow. */
#include "emu.h"
#include <stdlib.h>
#include <string.h>

/* ---- graphs ----------------------------------------------------------------------------------------------------- */
struct graph *emu_graph_new(struct driver *drv, struct context *ctx) { return emu_pool_get(&drv->graphs, drv, ctx); }

void emu_node_cleanup(void *object)
{
	struct node *n = object;
	emu_work_drop(n->head.drv, &n->work);
	free(n->args);
	free(n->deps);
}

void emu_graph_cleanup(void *object)
{
	struct graph *g = object;
	for (int i = 0; i < g->n; i++) {
		emu_pool_kill(&g->head.drv->nodes, g->node[i]);
		emu_unref(&g->head.drv->nodes, g->node[i]);
	}
	free(g->node);
}

static uint64_t *args_copy(const struct work *w)
{
	size_t n = (size_t)w->launch.kernel->nargs * sizeof(uint64_t);
	uint64_t *a = malloc(n ? n : 1);
	if (a && n)
		memcpy(a, w->launch.args, n);
	return a;
}

/* Adds work, which the node owns from then on. NULL: no memory, nothing happened. */
struct node *emu_graph_add(struct graph *g, struct context *ctx, const struct work *w, struct node *const *deps, int ndeps)
{
	struct driver *drv = g->head.drv;
	if (g->n == g->cap) {
		int cap = g->cap ? 2 * g->cap : 8;
		void *more = realloc(g->node, (size_t)cap * sizeof g->node[0]);
		if (!more)
			return NULL;
		g->node = more;
		g->cap = cap;
	}
	struct node **d = malloc((size_t)(ndeps ? ndeps : 1) * sizeof *d);
	uint64_t *args = w->kind == WORK_LAUNCH ? args_copy(w) : NULL;
	struct node *n = d && (args || w->kind != WORK_LAUNCH) ? emu_pool_get(&drv->nodes, drv, ctx) : NULL;
	if (!n) {
		free(d);
		free(args);
		return NULL;
	}
	if (ndeps)
		memcpy(d, deps, (size_t)ndeps * sizeof *d);
	n->index = g->n;
	n->deps = d;
	n->ndeps = ndeps;
	n->work = *w;
	n->args = args;
	if (args)
		n->work.launch.args = args;
	emu_pool_publish(n);
	return g->node[g->n++] = n;
}

static struct graph *graph_of(struct driver *drv, CUgraph handle)
{
	return emu_pool_live(&drv->graphs, handle) ? (struct graph *)handle : NULL;
}

API(cuGraphCreate)(CUgraph *out, unsigned int flags)
{
	ENTER_CTX(cuGraphCreate);
	if (!out || flags)
		return CUDA_ERROR_INVALID_VALUE;
	struct graph *g = emu_graph_new(drv, ctx);
	if (!g)
		return CUDA_ERROR_OUT_OF_MEMORY;
	emu_pool_publish(g);
	*out = (CUgraph)g;
	return CUDA_SUCCESS;
}

API(cuGraphDestroy)(CUgraph handle)
{
	ENTER(cuGraphDestroy);
	if (!emu_pool_kill(&drv->graphs, handle))
		return CUDA_ERROR_INVALID_VALUE;
	emu_unref(&drv->graphs, handle);
	return CUDA_SUCCESS;
}

/* nodes NULL: only how many there are; else at most *n are stored, and the rest of the array becomes NULL. */
API(cuGraphGetNodes)(CUgraph handle, CUgraphNode *nodes, size_t *n)
{
	ENTER(cuGraphGetNodes);
	struct graph *g = graph_of(drv, handle);
	if (!g || !n)
		return CUDA_ERROR_INVALID_VALUE;
	for (size_t i = 0; nodes && i < *n; i++)
		nodes[i] = i < (size_t)g->n ? (CUgraphNode)g->node[i] : NULL;
	if (!nodes || *n > (size_t)g->n)
		*n = (size_t)g->n;
	return CUDA_SUCCESS;
}

/* ---- plans: what an executable graph runs ----------------------------------------------------------------------- */
void emu_plan_unref(struct plan *p)
{
	if (atomic_fetch_sub(&p->refs, 1) != 1)
		return;
	for (int i = 0; i < p->n; i++) {
		emu_work_drop(p->drv, &p->node[i].work);
		free(p->node[i].args);
		free(p->node[i].deps);
	}
	free(p->node);
	pthread_mutex_destroy(&p->running);
	free(p);
}

static struct plan *plan_new(struct graph *g)
{
	struct plan *p = calloc(1, sizeof *p);
	if (!p)
		return NULL;
	p->drv = g->head.drv;
	atomic_store(&p->refs, 1);
	pthread_mutex_init(&p->running, NULL);
	p->node = calloc((size_t)(g->n ? g->n : 1), sizeof *p->node);
	for (int i = 0; p->node && i < g->n; i++) {
		const struct node *from = g->node[i];
		struct planned_node *to = &p->node[i];
		to->deps = malloc((size_t)(from->ndeps ? from->ndeps : 1) * sizeof *to->deps);
		to->args = from->args ? args_copy(&from->work) : NULL;
		if (!to->deps || (from->args && !to->args)) {
			free(to->deps);
			free(to->args);
			break;
		}
		to->ndeps = from->ndeps;
		for (int k = 0; k < from->ndeps; k++)
			to->deps[k] = from->deps[k]->index;
		to->work = from->work;
		to->ctx = from->head.ctx;
		to->id = atomic_load(&to->ctx->id);
		if (to->args)
			to->work.launch.args = to->args;
		if (to->work.kind == WORK_GRAPH) { /* a child: faults are decided once, for the nodes of the parent */
			atomic_fetch_add(&to->work.graph.plan->refs, 1);
			to->work.graph.faults = NULL;
		}
		p->n++;
	}
	if (p->n == g->n && p->node)
		return p;
	emu_plan_unref(p);
	return NULL;
}

/* Runs the nodes, each in its own context; c is that of the stream. faults: one entry a node, or NULL. */
int emu_plan_run(struct context *c, struct plan *p, const struct planned *faults)
{
	int e = 0;
	pthread_mutex_lock(&p->running); /* launches of one executable graph do not overlap */
	for (int i = 0; i < p->n && !e; i++) {
		struct planned_node *n = &p->node[i];
		struct work w = n->work;
		if (atomic_load(&n->ctx->id) != n->id)
			e = CUDA_ERROR_CONTEXT_IS_DESTROYED;
		if (faults) {
			w.plan = faults[i];
			emu_stall(n->ctx, &w.plan);
		}
		if (!e)
			e = (int)atomic_load(&n->ctx->sticky);
		if (!e)
			e = w.plan.fail ? w.plan.fail : emu_work_run(n->ctx, &w);
		if (e && n->ctx != c)
			emu_context_fail(n->ctx, e);
		if (w.plan.lose)
			emu_device_lose(p->drv, n->ctx->dev);
	}
	pthread_mutex_unlock(&p->running);
	return e;
}

/* ---- executable graphs ------------------------------------------------------------------------------------------ */
void emu_exec_cleanup(void *object)
{
	struct exec *x = object;
	if (x->plan)
		emu_plan_unref(x->plan);
}

void emu_graphs_end(struct context *c)
{
	struct driver *drv = c->head.drv;
	struct pool *pools[] = { &drv->execs, &drv->graphs };
	for (int i = 0; i < 2; i++) {
		size_t cursor = 0;
		struct object *o;
		while ((o = emu_pool_next(pools[i], &cursor))) {
			if (o->ctx == c && emu_pool_kill(pools[i], o))
				emu_unref(pools[i], o);
			emu_unref(pools[i], o);
		}
	}
}

static CUresult instantiate(struct context *ctx, CUgraphExec *out, CUgraph handle)
{
	struct driver *drv = ctx->head.drv;
	struct graph *g = graph_of(drv, handle);
	if (!out || !g)
		return CUDA_ERROR_INVALID_VALUE;
	struct exec *x = emu_pool_get(&drv->execs, drv, ctx);
	if (!x)
		return CUDA_ERROR_OUT_OF_MEMORY;
	x->plan = plan_new(g);
	if (!x->plan) {
		emu_unref(&drv->execs, x);
		return CUDA_ERROR_OUT_OF_MEMORY;
	}
	emu_pool_publish(x);
	*out = (CUgraphExec)x;
	return CUDA_SUCCESS;
}

API(cuGraphInstantiate_v2)(CUgraphExec *out, CUgraph graph, CUgraphNode *bad, char *log, size_t size)
{
	ENTER_CTX(cuGraphInstantiate_v2);
	if (bad)
		*bad = NULL;
	if (log && size)
		*log = 0;
	return instantiate(ctx, out, graph);
}

API(cuGraphInstantiateWithFlags)(CUgraphExec *out, CUgraph graph, unsigned long long flags)
{
	ENTER_CTX(cuGraphInstantiateWithFlags);
	if (flags & ~0xfull) /* auto-free, upload, device launch, node priority: no difference here */
		return CUDA_ERROR_INVALID_VALUE;
	return instantiate(ctx, out, graph);
}

static struct exec *exec_of(struct driver *drv, CUgraphExec handle)
{
	return emu_pool_live(&drv->execs, handle) ? (struct exec *)handle : NULL;
}

/* The plan as it is now, referenced: an update must not touch launches in flight. */
static struct plan *plan_of(struct driver *drv, struct exec *x)
{
	pthread_mutex_lock(&drv->lock);
	struct plan *p = x->plan;
	atomic_fetch_add(&p->refs, 1);
	pthread_mutex_unlock(&drv->lock);
	return p;
}

API(cuGraphLaunch)(CUgraphExec handle, CUstream stream)
{
	ENTER_CTX(cuGraphLaunch);
	struct exec *x = exec_of(drv, handle);
	if (!x)
		return CUDA_ERROR_INVALID_VALUE;
	struct plan *p = plan_of(drv, x);
	struct work w = { .kind = WORK_GRAPH, .graph = { .plan = p } };
	if (drv->set.faults.on && p->n) {
		CUresult e = CUDA_SUCCESS;
		struct planned *f = calloc((size_t)p->n, sizeof *f);
		for (int i = 0; f && !e && i < p->n; i++) {
			struct work node = p->node[i].work;
			e = emu_plan(drv, NULL, &node);
			f[i] = node.plan;
		}
		w.graph.faults = f;
		if (e || !f) {
			emu_work_drop(drv, &w);
			return e ? e : CUDA_ERROR_OUT_OF_MEMORY;
		}
	}
	return emu_submit(t, ctx, stream, &w, false);
}

API(cuGraphUpload)(CUgraphExec handle, CUstream stream)
{
	ENTER_CTX(cuGraphUpload);
	struct work w = { .kind = WORK_NONE };
	return exec_of(drv, handle) ? emu_submit(t, ctx, stream, &w, false) : CUDA_ERROR_INVALID_VALUE;
}

API(cuGraphExecDestroy)(CUgraphExec handle)
{
	ENTER(cuGraphExecDestroy);
	if (!emu_pool_kill(&drv->execs, handle))
		return CUDA_ERROR_INVALID_VALUE;
	emu_unref(&drv->execs, handle);
	return CUDA_SUCCESS;
}

/* ---- update ----------------------------------------------------------------------------------------------------- */
/* 0, or why a graph cannot take the place of a plan; *at: the node. */
static int differs(const struct plan *p, const struct graph *g, CUgraphNode *at)
{
	*at = NULL;
	if (p->n != g->n)
		return CU_GRAPH_EXEC_UPDATE_ERROR_TOPOLOGY_CHANGED;
	for (int i = 0; i < g->n; i++) {
		*at = (CUgraphNode)g->node[i];
		if (p->node[i].work.kind != g->node[i]->work.kind)
			return CU_GRAPH_EXEC_UPDATE_ERROR_NODE_TYPE_CHANGED;
		if (p->node[i].ndeps != g->node[i]->ndeps)
			return CU_GRAPH_EXEC_UPDATE_ERROR_TOPOLOGY_CHANGED;
		for (int k = 0; k < p->node[i].ndeps; k++)
			if (p->node[i].deps[k] != g->node[i]->deps[k]->index)
				return CU_GRAPH_EXEC_UPDATE_ERROR_TOPOLOGY_CHANGED;
	}
	*at = NULL;
	return CU_GRAPH_EXEC_UPDATE_SUCCESS;
}

static CUresult update(struct driver *drv, CUgraphExec handle, CUgraph graph, CUgraphNode *at, int *why)
{
	struct exec *x = exec_of(drv, handle);
	struct graph *g = graph_of(drv, graph);
	if (!x || !g || !at || !why)
		return CUDA_ERROR_INVALID_VALUE;
	struct plan *old = plan_of(drv, x);
	*why = differs(old, g, at);
	emu_plan_unref(old);
	if (*why)
		return CUDA_ERROR_GRAPH_EXEC_UPDATE_FAILURE;
	struct plan *p = plan_new(g);
	if (!p)
		return CUDA_ERROR_OUT_OF_MEMORY;
	pthread_mutex_lock(&drv->lock);
	old = x->plan;
	x->plan = p;
	pthread_mutex_unlock(&drv->lock);
	emu_plan_unref(old);
	return CUDA_SUCCESS;
}

API(cuGraphExecUpdate)(CUgraphExec exec, CUgraph graph, CUgraphNode *at, int *why)
{
	ENTER_CTX(cuGraphExecUpdate);
	return update(drv, exec, graph, at, why);
}

API(cuGraphExecUpdate_v2)(CUgraphExec exec, CUgraph graph, CUgraphExecUpdateResultInfo *info)
{
	ENTER_CTX(cuGraphExecUpdate_v2);
	if (!info)
		return CUDA_ERROR_INVALID_VALUE;
	info->errorFromNode = NULL;
	return update(drv, exec, graph, &info->errorNode, &info->result);
}
