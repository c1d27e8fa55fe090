/* The part of libnvidia-ml.so.1 that UCX's CUDA transports call, for the devices of the emulated libcuda.so.1 beside it.
 *
 * NVML shows all devices, whatever CUDA_VISIBLE_DEVICES says; a library that has both matches them by PCI address, which
 * is device.c's. The number of links decides how UCX moves device memory between processes: with any the receiver reads
 * (get), with none the sender writes (put). Types and values are nvml.h's (CUDA 12.9, the same in 11 to 13). */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define EXPORT __attribute__((visibility("default")))

typedef int nvmlReturn_t;
enum { NVML_SUCCESS = 0, NVML_ERROR_INVALID_ARGUMENT = 2, NVML_ERROR_NOT_SUPPORTED = 3 };
typedef struct nvmlDevice_st *nvmlDevice_t; /* here: the device's number + 1 */

typedef struct {
	char busIdLegacy[16];
	unsigned domain, bus, device, pciDeviceId, pciSubSystemId;
	char busId[32];
} nvmlPciInfo_t;

typedef struct {
	unsigned fieldId, scopeId;
	long long timestamp, latencyUsec;
	int valueType; /* 1: unsigned int */
	nvmlReturn_t nvmlReturn;
	union {
		double dVal;
		unsigned uiVal;
		unsigned long long ullVal;
	} value;
} nvmlFieldValue_t;
enum { NVML_FI_DEV_NVLINK_LINK_COUNT = 91, NVML_VALUE_TYPE_UNSIGNED_INT = 1 };

_Static_assert(sizeof(nvmlPciInfo_t) == 68, "nvmlPciInfo_t");
_Static_assert(sizeof(nvmlFieldValue_t) == 40, "nvmlFieldValue_t");

/* As device.c: the bus of the first device. */
enum { BUS = 0xe0, MAX_DEVICES = 8, MAX_LINKS = 18 };

/* The driver's cuInit refuses a wrong value with a message; here the default serves until then. */
static unsigned setting(const char *name, unsigned most, unsigned otherwise)
{
	const char *v = getenv(name);
	char *end;
	unsigned long n = v && *v ? strtoul(v, &end, 10) : otherwise;
	return v && *v && (*end || n > most) ? otherwise : (unsigned)n;
}

static unsigned devices(void) { return setting("GPUBENCH_EMU_DEVICES", MAX_DEVICES, 2); }
static unsigned links(void) { return setting("GPUBENCH_EMU_NVLINKS", MAX_LINKS, MAX_LINKS); }

static int known(nvmlDevice_t d) { return (size_t)d - 1 < devices(); }

EXPORT nvmlReturn_t nvmlInit_v2(void) { return NVML_SUCCESS; }
EXPORT nvmlReturn_t nvmlShutdown(void) { return NVML_SUCCESS; }

EXPORT const char *nvmlErrorString(nvmlReturn_t r)
{
	switch (r) {
	case NVML_SUCCESS: return "Success";
	case NVML_ERROR_INVALID_ARGUMENT: return "Invalid Argument";
	case NVML_ERROR_NOT_SUPPORTED: return "Not Supported";
	}
	return "Unknown Error";
}

EXPORT nvmlReturn_t nvmlDeviceGetCount_v2(unsigned *n)
{
	if (!n)
		return NVML_ERROR_INVALID_ARGUMENT;
	*n = devices();
	return NVML_SUCCESS;
}

EXPORT nvmlReturn_t nvmlDeviceGetHandleByIndex_v2(unsigned i, nvmlDevice_t *d)
{
	if (!d || i >= devices())
		return NVML_ERROR_INVALID_ARGUMENT;
	*d = (nvmlDevice_t)((size_t)i + 1);
	return NVML_SUCCESS;
}

static void address(nvmlPciInfo_t *p, unsigned bus)
{
	memset(p, 0, sizeof *p);
	p->bus = bus;
	snprintf(p->busIdLegacy, sizeof p->busIdLegacy, "0000:%02X:00.0", bus & 0xff);
	snprintf(p->busId, sizeof p->busId, "00000000:%02X:00.0", bus & 0xff);
}

EXPORT nvmlReturn_t nvmlDeviceGetPciInfo_v3(nvmlDevice_t d, nvmlPciInfo_t *p)
{
	if (!p || !known(d))
		return NVML_ERROR_INVALID_ARGUMENT;
	address(p, BUS + (unsigned)((size_t)d - 1));
	return NVML_SUCCESS;
}

EXPORT nvmlReturn_t nvmlDeviceGetFieldValues(nvmlDevice_t d, int n, nvmlFieldValue_t *v)
{
	if (!v || n < 1 || !known(d))
		return NVML_ERROR_INVALID_ARGUMENT;
	for (int i = 0; i < n; i++) {
		v[i].timestamp = v[i].latencyUsec = 0;
		v[i].valueType = NVML_VALUE_TYPE_UNSIGNED_INT;
		v[i].value.ullVal = 0;
		v[i].nvmlReturn = NVML_ERROR_NOT_SUPPORTED;
		if (v[i].fieldId == NVML_FI_DEV_NVLINK_LINK_COUNT) {
			v[i].nvmlReturn = NVML_SUCCESS;
			v[i].value.uiVal = links();
		}
	}
	return NVML_SUCCESS;
}

/* All links lead to one switch behind the devices, which is no device itself. */
EXPORT nvmlReturn_t nvmlDeviceGetNvLinkRemotePciInfo_v2(nvmlDevice_t d, unsigned link, nvmlPciInfo_t *p)
{
	if (!p || !known(d))
		return NVML_ERROR_INVALID_ARGUMENT;
	if (link >= links())
		return NVML_ERROR_NOT_SUPPORTED;
	address(p, BUS + MAX_DEVICES);
	return NVML_SUCCESS;
}

/* A fabric of several nodes: there is none, and so no fabric handles. */
EXPORT nvmlReturn_t nvmlDeviceGetGpuFabricInfoV(nvmlDevice_t d, void *info)
{
	(void)info;
	return known(d) ? NVML_ERROR_NOT_SUPPORTED : NVML_ERROR_INVALID_ARGUMENT;
}
