/* Devices: names, identities, attributes, peers, and which of them CUDA_VISIBLE_DEVICES shows. */
#include "emu.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define DEVICE(d)                                     \
	if ((d) < 0 || (d) >= drv->ndev)              \
	return CUDA_ERROR_INVALID_DEVICE

/* ---- identity --------------------------------------------------------------------------------------------------- */
static uint64_t mix(uint64_t *state) /* splitmix64 */
{
	uint64_t z = (*state += 0x9e3779b97f4a7c15u);
	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
	z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
	return z ^ (z >> 31);
}

/* The same in every process of a host, different for each device and GPUBENCH_EMU_NODE. */
void emu_device_uuid(const struct settings *s, int physical, char uuid[16])
{
	uint64_t h = 0xcbf29ce484222325u; /* FNV-1a over the node's name */
	for (const char *p = s->node ? s->node : ""; *p; p++)
		h = (h ^ (unsigned char)*p) * 0x100000001b3u;
	h += (uint64_t)(physical + 1);
	uint64_t a = mix(&h), b = mix(&h);
	memcpy(uuid, &a, 8);
	memcpy(uuid + 8, &b, 8);
}

static void uuid_text(const char uuid[16], char out[41])
{
	char *p = out + sprintf(out, "GPU-");
	for (int i = 0; i < 16; i++)
		p += sprintf(p, i == 4 || i == 6 || i == 8 || i == 10 ? "-%02x" : "%02x", (unsigned char)uuid[i]);
}

/* The device that an entry of CUDA_VISIBLE_DEVICES names: an index, or a UUID or a beginning of one that fits one device
 * only. -1: none. */
static int named(const struct settings *s, const char *entry, size_t n)
{
	if (n && entry[0] >= '0' && entry[0] <= '9') {
		int d = 0;
		for (size_t i = 0; i < n; i++) {
			if (entry[i] < '0' || entry[i] > '9' || d > EMU_MAX_DEVICES)
				return -1;
			d = d * 10 + entry[i] - '0';
		}
		return d < s->devices ? d : -1;
	}
	int found = -1;
	for (int d = 0; d < s->devices; d++) {
		char uuid[16], text[41];
		emu_device_uuid(s, d, uuid);
		uuid_text(uuid, text);
		if (n <= 4 || n > 40 || strncasecmp(entry, text, n))
			continue;
		if (found >= 0)
			return -1; /* ambiguous */
		found = d;
	}
	return found;
}

/* As the real driver: devices in the order of the list, up to the first entry that names none or one already named.
 * list NULL: all. Returns how many. */
int emu_visible(const struct settings *s, const char *list, int out[EMU_MAX_DEVICES])
{
	int n = 0;
	if (!list) {
		for (; n < s->devices; n++)
			out[n] = n;
		return n;
	}
	while (n < EMU_MAX_DEVICES) {
		while (*list == ' ')
			list++;
		size_t len = strcspn(list, ",");
		size_t trimmed = len;
		while (trimmed && list[trimmed - 1] == ' ')
			trimmed--;
		int d = named(s, list, trimmed);
		for (int i = 0; i < n && d >= 0; i++)
			if (out[i] == d)
				d = -1;
		if (d < 0)
			break;
		out[n++] = d;
		if (!list[len])
			break;
		list += len + 1;
	}
	return n;
}

/* ---- queries ---------------------------------------------------------------------------------------------------- */
API(cuDeviceGetCount)(int *count)
{
	ENTER(cuDeviceGetCount);
	if (!count)
		return CUDA_ERROR_INVALID_VALUE;
	*count = drv->ndev;
	return CUDA_SUCCESS;
}

API(cuDeviceGet)(CUdevice *device, int ordinal)
{
	ENTER(cuDeviceGet);
	if (!device)
		return CUDA_ERROR_INVALID_VALUE;
	DEVICE(ordinal);
	*device = ordinal;
	return CUDA_SUCCESS;
}

static void cpu_name(char *out, size_t n)
{
	char line[256];
	FILE *f = fopen("/proc/cpuinfo", "r");
	snprintf(out, n, "CPU");
	while (f && fgets(line, sizeof line, f)) {
		char *colon = strchr(line, ':');
		if (strncmp(line, "model name", 10) || !colon)
			continue;
		colon[1 + strcspn(colon + 1, "\n")] = 0;
		snprintf(out, n, "%s", colon + 1 + strspn(colon + 1, " "));
		break;
	}
	if (f)
		fclose(f);
}

API(cuDeviceGetName)(char *name, int len, CUdevice dev)
{
	ENTER(cuDeviceGetName);
	DEVICE(dev);
	if (!name || len < 1)
		return CUDA_ERROR_INVALID_VALUE;
	if (drv->open)
		cpu_name(name, (size_t)len);
	else
		snprintf(name, (size_t)len, "Emulated CUDA device (CPU)");
	return CUDA_SUCCESS;
}

static CUresult uuid(struct driver *drv, CUuuid *out, CUdevice dev)
{
	DEVICE(dev);
	if (!out)
		return CUDA_ERROR_INVALID_VALUE;
	memcpy(out->bytes, drv->dev[dev].uuid, 16);
	return CUDA_SUCCESS;
}

API(cuDeviceGetUuid)(CUuuid *out, CUdevice dev)
{
	ENTER(cuDeviceGetUuid);
	return uuid(drv, out, dev);
}

API(cuDeviceGetUuid_v2)(CUuuid *out, CUdevice dev)
{
	ENTER(cuDeviceGetUuid_v2);
	return uuid(drv, out, dev);
}

API(cuDeviceGetLuid)(char *luid, unsigned int *mask, CUdevice dev)
{
	ENTER(cuDeviceGetLuid);
	(void)luid, (void)mask, (void)dev;
	return CUDA_ERROR_NOT_SUPPORTED; /* Windows only */
}

API(cuDeviceTotalMem_v2)(size_t *bytes, CUdevice dev)
{
	ENTER(cuDeviceTotalMem_v2);
	DEVICE(dev);
	if (!bytes)
		return CUDA_ERROR_INVALID_VALUE;
	*bytes = drv->dev[dev].memory;
	return CUDA_SUCCESS;
}

enum { BUS = 0xe0 }; /* of the first device: a bus number that real machines rarely use */

API(cuDeviceGetPCIBusId)(char *id, int len, CUdevice dev)
{
	ENTER(cuDeviceGetPCIBusId);
	DEVICE(dev);
	if (!id || len < 13)
		return CUDA_ERROR_INVALID_VALUE;
	snprintf(id, (size_t)len, "0000:%02x:00.0", BUS + drv->dev[dev].physical);
	return CUDA_SUCCESS;
}

API(cuDeviceGetByPCIBusId)(CUdevice *dev, const char *id)
{
	ENTER(cuDeviceGetByPCIBusId);
	unsigned domain = 0, bus, device, function = 0;
	if (!dev || !id)
		return CUDA_ERROR_INVALID_VALUE;
	if (sscanf(id, "%x:%x:%x.%x", &domain, &bus, &device, &function) != 4) {
		domain = function = 0;
		if (sscanf(id, "%x:%x.%x", &bus, &device, &function) < 2)
			return CUDA_ERROR_INVALID_VALUE;
	}
	for (int i = 0; i < drv->ndev; i++)
		if (!domain && !device && !function && bus == (unsigned)(BUS + drv->dev[i].physical)) {
			*dev = i;
			return CUDA_SUCCESS;
		}
	return CUDA_ERROR_INVALID_DEVICE;
}

API(cuDeviceComputeCapability)(int *major, int *minor, CUdevice dev)
{
	ENTER(cuDeviceComputeCapability);
	DEVICE(dev);
	if (!major || !minor)
		return CUDA_ERROR_INVALID_VALUE;
	*major = 9;
	*minor = 0;
	return CUDA_SUCCESS;
}

API(cuDeviceGetProperties)(CUdevprop *p, CUdevice dev)
{
	ENTER(cuDeviceGetProperties);
	DEVICE(dev);
	if (!p)
		return CUDA_ERROR_INVALID_VALUE;
	*p = (CUdevprop){ .maxThreadsPerBlock = 1024, .maxThreadsDim = { 1024, 1024, 64 },
		          .maxGridSize = { 2147483647, 65535, 65535 }, .sharedMemPerBlock = 49152,
		          .totalConstantMemory = 65536, .SIMDWidth = 32, .memPitch = 2147483647,
		          .regsPerBlock = 65536, .clockRate = 1000000, .textureAlign = 512 };
	return CUDA_SUCCESS;
}

/* Shapes of a compute capability 9.0 device, so that launches are checked as they are there. */
static int attribute(struct driver *drv, int a, CUdevice dev)
{
	switch (a) {
	case CU_DEVICE_ATTRIBUTE_MAX_THREADS_PER_BLOCK:
	case CU_DEVICE_ATTRIBUTE_MAX_BLOCK_DIM_X:
	case CU_DEVICE_ATTRIBUTE_MAX_BLOCK_DIM_Y: return 1024;
	case CU_DEVICE_ATTRIBUTE_MAX_BLOCK_DIM_Z: return 64;
	case CU_DEVICE_ATTRIBUTE_MAX_GRID_DIM_X: return 2147483647;
	case CU_DEVICE_ATTRIBUTE_MAX_GRID_DIM_Y:
	case CU_DEVICE_ATTRIBUTE_MAX_GRID_DIM_Z: return 65535;
	case CU_DEVICE_ATTRIBUTE_MAX_SHARED_MEMORY_PER_BLOCK: return 49152;
	case CU_DEVICE_ATTRIBUTE_MAX_SHARED_MEMORY_PER_BLOCK_OPTIN: return 232448;
	case CU_DEVICE_ATTRIBUTE_MAX_SHARED_MEMORY_PER_MULTIPROCESSOR: return 233472;
	case CU_DEVICE_ATTRIBUTE_TOTAL_CONSTANT_MEMORY:
	case CU_DEVICE_ATTRIBUTE_MAX_REGISTERS_PER_BLOCK:
	case CU_DEVICE_ATTRIBUTE_MAX_REGISTERS_PER_MULTIPROCESSOR: return 65536;
	case CU_DEVICE_ATTRIBUTE_WARP_SIZE:
	case CU_DEVICE_ATTRIBUTE_MAX_BLOCKS_PER_MULTIPROCESSOR: return 32;
	case CU_DEVICE_ATTRIBUTE_MAX_PITCH: return 2147483647;
	case CU_DEVICE_ATTRIBUTE_CLOCK_RATE:
	case CU_DEVICE_ATTRIBUTE_MEMORY_CLOCK_RATE: return 1000000; /* kHz */
	case CU_DEVICE_ATTRIBUTE_GLOBAL_MEMORY_BUS_WIDTH: return 64;
	case CU_DEVICE_ATTRIBUTE_L2_CACHE_SIZE: return 1 << 20;
	case CU_DEVICE_ATTRIBUTE_TEXTURE_ALIGNMENT:
	case CU_DEVICE_ATTRIBUTE_SURFACE_ALIGNMENT: return 512;
	case CU_DEVICE_ATTRIBUTE_MULTIPROCESSOR_COUNT: return drv->open ? 1 : 16;
	case CU_DEVICE_ATTRIBUTE_MAX_THREADS_PER_MULTIPROCESSOR: return 2048;
	case CU_DEVICE_ATTRIBUTE_ASYNC_ENGINE_COUNT: return drv->open ? 0 : 2;
	case CU_DEVICE_ATTRIBUTE_GPU_OVERLAP:
	case CU_DEVICE_ATTRIBUTE_CONCURRENT_KERNELS:
	case CU_DEVICE_ATTRIBUTE_STREAM_PRIORITIES_SUPPORTED: return !drv->open;
	case CU_DEVICE_ATTRIBUTE_UNIFIED_ADDRESSING:
	case CU_DEVICE_ATTRIBUTE_CAN_MAP_HOST_MEMORY:
	case CU_DEVICE_ATTRIBUTE_MANAGED_MEMORY:
	case CU_DEVICE_ATTRIBUTE_CONCURRENT_MANAGED_ACCESS:
	case CU_DEVICE_ATTRIBUTE_CAN_USE_HOST_POINTER_FOR_REGISTERED_MEM:
	case CU_DEVICE_ATTRIBUTE_HOST_REGISTER_SUPPORTED:
	case CU_DEVICE_ATTRIBUTE_HOST_NATIVE_ATOMIC_SUPPORTED:
	case CU_DEVICE_ATTRIBUTE_COOPERATIVE_LAUNCH:
	case CU_DEVICE_ATTRIBUTE_MEMORY_POOLS_SUPPORTED: return 1;
	case CU_DEVICE_ATTRIBUTE_INTEGRATED:
	case CU_DEVICE_ATTRIBUTE_PAGEABLE_MEMORY_ACCESS:
	case CU_DEVICE_ATTRIBUTE_PAGEABLE_MEMORY_ACCESS_USES_HOST_PAGE_TABLES:
	case CU_DEVICE_ATTRIBUTE_DIRECT_MANAGED_MEM_ACCESS_FROM_HOST: return drv->open;
	case CU_DEVICE_ATTRIBUTE_VIRTUAL_MEMORY_MANAGEMENT_SUPPORTED:
	case 92:  /* CAN_USE_STREAM_MEM_OPS, of CUDA 11 */
	case 93:  /* CAN_USE_64_BIT_STREAM_MEM_OPS */
	case 94:  /* CAN_USE_STREAM_WAIT_VALUE_NOR */
	case 103: /* HANDLE_TYPE_POSIX_FILE_DESCRIPTOR_SUPPORTED */
	case 122: /* CAN_USE_64_BIT_STREAM_MEM_OPS, of CUDA 12 */
	case 123: /* CAN_USE_STREAM_WAIT_VALUE_NOR, of CUDA 12 */
	case 125: /* IPC_EVENT_SUPPORTED */ return !drv->open;
	case CU_DEVICE_ATTRIBUTE_PCI_BUS_ID: return BUS + drv->dev[dev].physical;
	case CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MAJOR: return 9;
	}
	/* Among them 0 by intent: ECC, compute mode, timeouts, PCI domain and device, textures, GPUDirect RDMA, DMA-BUF and
	 * fabric handles. */
	return 0;
}

API(cuDeviceGetAttribute)(int *value, CUdevice_attribute a, CUdevice dev)
{
	ENTER(cuDeviceGetAttribute);
	DEVICE(dev);
	if (!value || (int)a < 1)
		return CUDA_ERROR_INVALID_VALUE;
	*value = attribute(drv, (int)a, dev);
	return CUDA_SUCCESS;
}

/* ---- peers ------------------------------------------------------------------------------------------------------ */
API(cuDeviceCanAccessPeer)(int *can, CUdevice dev, CUdevice peer)
{
	ENTER(cuDeviceCanAccessPeer);
	DEVICE(dev);
	DEVICE(peer);
	if (!can)
		return CUDA_ERROR_INVALID_VALUE;
	*can = dev != peer && drv->set.peer;
	return CUDA_SUCCESS;
}

API(cuDeviceGetP2PAttribute)(int *value, CUdevice_P2PAttribute a, CUdevice from, CUdevice to)
{
	ENTER(cuDeviceGetP2PAttribute);
	DEVICE(from);
	DEVICE(to);
	if (!value || from == to)
		return from == to && value ? CUDA_ERROR_INVALID_DEVICE : CUDA_ERROR_INVALID_VALUE;
	switch (a) {
	case CU_DEVICE_P2P_ATTRIBUTE_ACCESS_SUPPORTED:
	case CU_DEVICE_P2P_ATTRIBUTE_NATIVE_ATOMIC_SUPPORTED: *value = drv->set.peer; return CUDA_SUCCESS;
	case CU_DEVICE_P2P_ATTRIBUTE_PERFORMANCE_RANK:
	case CU_DEVICE_P2P_ATTRIBUTE_CUDA_ARRAY_ACCESS_SUPPORTED: *value = 0; return CUDA_SUCCESS;
	}
	return CUDA_ERROR_INVALID_VALUE;
}
