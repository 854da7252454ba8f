/* A stand-in for Orthanc, which keeps callbacks, returns anything, and reads all that it is given. */

#include "fuzz.h"

#include <stdlib.h>
#include <string.h>

OrthancPluginIncomingHttpRequestFilter2 registered_filter = NULL;
OrthancPluginOnChangeCallback registered_change = NULL;
OrthancPluginOnStoredInstanceCallback registered_stored = NULL;
_OrthancPluginRegisterWebDavCollection registered_collection;
OrthancPluginIncomingDicomInstanceFilter registered_instance_filter = NULL;
OrthancPluginIncomingCStoreInstanceFilter registered_c_store_filter = NULL;
const char* fake_configuration = "{}";

static volatile uint64_t sum;

void touch(const void* data, size_t size)
{
  for (size_t i = 0; i < size; i++)
  {
    sum += ((const unsigned char*) data)[i];
  }
}

static void touch_text(const char* text)
{
  touch(text, strlen(text) + 1);
}

static OrthancPluginErrorCode some_code(void)
{
  return below(4) ? OrthancPluginErrorCode_Success : OrthancPluginErrorCode_UnknownResource;
}

static OrthancPluginErrorCode answer(OrthancPluginMemoryBuffer* target)
{
  if (some_code() != OrthancPluginErrorCode_Success)
  {
    return OrthancPluginErrorCode_UnknownResource;
  }
  target->size = below(200);
  target->data = target->size ? calloc(1, target->size) : NULL;
  return OrthancPluginErrorCode_Success;
}

/* Most of the time the same end of the log: otherwise nothing would stay in the cache of files. */
static OrthancPluginErrorCode get(const _OrthancPluginRestApiGet* params)
{
  static const char log_end[] = "{\"Changes\" : [], \"Done\" : true, \"Last\" : 12}";
  touch_text(params->uri);
  if (strcmp(params->uri, "/changes?last") != 0 || below(10) == 0)
  {
    return answer(params->target);
  }
  params->target->size = sizeof(log_end) - 1;
  params->target->data = memcpy(malloc(sizeof(log_end)), log_end, sizeof(log_end) - 1);
  return OrthancPluginErrorCode_Success;
}

static OrthancPluginErrorCode call(const _OrthancPluginCallRestApi* params)
{
  touch_text(params->uri);
  touch(params->body, params->bodySize);
  for (uint32_t i = 0; i < params->headersCount; i++)
  {
    touch_text(params->headersKeys[i]);
    touch_text(params->headersValues[i]);
  }
  if (answer(params->answerHeaders) != OrthancPluginErrorCode_Success)
  {
    return OrthancPluginErrorCode_UnknownResource;
  }
  *params->httpStatus = (uint16_t) below(600);
  params->answerBody->size = below(200);
  params->answerBody->data = calloc(1, 200);
  return OrthancPluginErrorCode_Success;
}

static OrthancPluginErrorCode get_file(const _OrthancPluginGetDicomForInstance* params)
{
  touch_text(params->instanceId);
  return answer(params->target);
}

static OrthancPluginErrorCode post(const _OrthancPluginRestApiPostPut* params)
{
  touch_text(params->uri);
  touch(params->body, params->bodySize);
  return answer(params->target);
}

static OrthancPluginErrorCode get_text(const _OrthancPluginRetrieveDynamicString* params)
{
  *params->result = strdup(fake_configuration);
  return OrthancPluginErrorCode_Success;
}

static OrthancPluginErrorCode get_of_instance(_OrthancPluginService service, const _OrthancPluginAccessDicomInstance* params)
{
  const fake_instance* instance = (const fake_instance*) params->instance;
  switch (service)
  {
    case _OrthancPluginService_GetInstanceSize:
      *params->resultInt64 = (int64_t) instance->size;
      break;
    case _OrthancPluginService_GetInstanceData:
      *params->resultString = instance->data;
      break;
    case _OrthancPluginService_GetInstanceSimplifiedJson:
      *params->resultStringToFree = instance->json ? strdup(instance->json) : NULL;
      break;
    case _OrthancPluginService_HasInstanceMetadata:
      *params->resultInt64 = instance->json != NULL;
      break;
    case _OrthancPluginService_GetInstanceMetadata:
      *params->resultString = instance->json;
      break;
    case _OrthancPluginService_GetInstanceRemoteAet:
      *params->resultString = "SENDER";
      break;
    default:
      *params->resultOrigin = instance->origin;
  }
  return OrthancPluginErrorCode_Success;
}

static OrthancPluginErrorCode invoke(OrthancPluginContext* context, _OrthancPluginService service, const void* params)
{
  (void) context;
  switch (service)
  {
    case _OrthancPluginService_LogError:
    case _OrthancPluginService_LogWarning:
    case _OrthancPluginService_LogInfo:
      touch_text(params);
      return OrthancPluginErrorCode_Success;
    case _OrthancPluginService_RestApiDelete:
      touch_text(params);
      return some_code();
    case _OrthancPluginService_RestApiGet:
      return get(params);
    case _OrthancPluginService_CallRestApi:
      return call(params);
    case _OrthancPluginService_RestApiPost:
      return post(params);
    case _OrthancPluginService_GetDicomForInstance:
      return get_file(params);
    case _OrthancPluginService_GetConfiguration:
    case _OrthancPluginService_GetConfigurationPath:
      return get_text(params);
    case _OrthancPluginService_RegisterIncomingHttpRequestFilter2:
      registered_filter = ((const _OrthancPluginIncomingHttpRequestFilter2*) params)->callback;
      return OrthancPluginErrorCode_Success;
    case _OrthancPluginService_RegisterIncomingDicomInstanceFilter:
      registered_instance_filter = ((const _OrthancPluginIncomingDicomInstanceFilter*) params)->callback;
      return OrthancPluginErrorCode_Success;
    case _OrthancPluginService_RegisterIncomingCStoreInstanceFilter:
      registered_c_store_filter = ((const _OrthancPluginIncomingCStoreInstanceFilter*) params)->callback;
      return OrthancPluginErrorCode_Success;
    case _OrthancPluginService_GetInstanceSize:
    case _OrthancPluginService_GetInstanceData:
    case _OrthancPluginService_GetInstanceSimplifiedJson:
    case _OrthancPluginService_GetInstanceRemoteAet:
    case _OrthancPluginService_GetInstanceOrigin:
    case _OrthancPluginService_HasInstanceMetadata:
    case _OrthancPluginService_GetInstanceMetadata:
      return get_of_instance(service, params);
    case _OrthancPluginService_RegisterOnChangeCallback:
      registered_change = ((const _OrthancPluginOnChangeCallback*) params)->callback;
      return OrthancPluginErrorCode_Success;
    case _OrthancPluginService_RegisterOnStoredInstanceCallback:
      registered_stored = ((const _OrthancPluginOnStoredInstanceCallback*) params)->callback;
      return OrthancPluginErrorCode_Success;
    case _OrthancPluginService_RegisterWebDavCollection:
      registered_collection = *(const _OrthancPluginRegisterWebDavCollection*) params;
      touch_text(registered_collection.uri);
      return OrthancPluginErrorCode_Success;
    default:
      return OrthancPluginErrorCode_Success;
  }
}

OrthancPluginContext fake_core = {NULL, "1.12.7", free, invoke};

OrthancPluginErrorCode fake_retrieve(OrthancPluginWebDavCollection* collection, const void* data, uint64_t size,
                                     const char* mime, const char* date)
{
  (void) collection;
  touch_text(mime);
  touch_text(date);
  touch(data, size < 4096 ? (size_t) size : 4096);
  touch((const char*) data + (size ? size - 1 : 0), size ? 1 : 0);
  return some_code();
}

OrthancPluginErrorCode fake_add_file(OrthancPluginWebDavCollection* collection, const char* name, uint64_t size,
                                     const char* mime, const char* date)
{
  (void) size;
  touch_text(mime);
  return fake_add_folder(collection, name, date);
}

OrthancPluginErrorCode fake_add_folder(OrthancPluginWebDavCollection* collection, const char* name, const char* date)
{
  (void) collection;
  touch_text(name);
  touch_text(date);
  return some_code();
}
