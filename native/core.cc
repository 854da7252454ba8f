/* Calls into Orthanc's core; none is made once Orthanc has stopped.

   The core destroys what a call works with soon after OrthancStopped, and does not wait for plugins' threads: a thread that
   is inside a call then, or begins one, ends the process with SIGABRT. So each call passes a gate that is closed at
   OrthancStopped; calls that only need the plugin's context, such as the log, pass another one, which is closed when the
   plugin is finalized. */

#include "guarded.hh"

#include <atomic>
#include <signal.h>
#include <time.h>

#define TICK_NS 1000000L

OrthancPluginContext* davfs_context = NULL;

struct gate
{
  std::atomic<int> open;
  std::atomic<int> inside;
};

static gate calls, context;

/* A caller at a gate, who is counted until the end of its scope. It is counted before it looks whether the gate is open. So
   once the gate is closed and the count is 0, no caller is inside, and none will be. */
class caller
{
public:
  explicit caller(gate& entered) : entered(entered)
  {
    entered.inside++;
  }

  ~caller()
  {
    entered.inside--;
  }

  bool may_pass() const
  {
    return entered.open;
  }

private:
  gate& entered;
};

/* Closes a gate, and waits for the callers inside. Returns 1, or 0 if some are still inside after so many milliseconds. */
static int close_gate(gate* each, int milliseconds)
{
  struct timespec tick = {0, TICK_NS};
  each->open = 0;
  for (; each->inside > 0 && milliseconds > 0; milliseconds--)
  {
    nanosleep(&tick, NULL);
  }
  return each->inside == 0;
}

void davfs_open_context(OrthancPluginContext* given)
{
  davfs_context = given;
  context.open = 1;
}

int davfs_close_context(int milliseconds)
{
  return close_gate(&context, milliseconds);
}

/* Orthanc informs plugins that it stops only when its Lua engine has seen each stored and deleted instance, and that waits
   until nothing was stored for 100 ms: an import would keep it from stopping. But Orthanc catches SIGTERM exactly while it
   serves (SystemToolbox::ServerBarrier), even if it is stopped or reset by REST. */
static std::atomic<int> serving;

int davfs_is_stopping(void)
{
  struct sigaction now;
  sigaction(SIGTERM, NULL, &now);
  if (now.sa_handler != SIG_DFL)
  {
    serving = 1;
    return 0;
  }
  return serving; /* 0: it has not begun to serve */
}

void davfs_open_core(void)
{
  serving = 0;
  calls.open = 1;
}

void davfs_refuse_calls(void)
{
  calls.open = 0;
}

int davfs_close_core(int milliseconds)
{
  return close_gate(&calls, milliseconds);
}

/* Makes a call into the core if the gate is open. */
template <typename Call>
static int call_core(Call call)
{
  caller self(calls);
  return self.may_pass() ? guarded(call) : DAVFS_STOPPED;
}

int davfs_get(OrthancPluginMemoryBuffer* response, const char* path)
{
  return call_core([=] { return OrthancPluginRestApiGet(davfs_context, response, path); });
}

static thread_local int is_posting = 0;

int davfs_is_import(void)
{
  return is_posting;
}

int davfs_post(OrthancPluginMemoryBuffer* response, const char* path, const void* body, uint32_t size)
{
  if (davfs_is_stopping())
  {
    return DAVFS_STOPPED;
  }
  is_posting = 1;
  int code = call_core([=] { return OrthancPluginRestApiPost(davfs_context, response, path, body, size); });
  is_posting = 0;
  return code;
}

int davfs_delete(const char* path)
{
  if (davfs_is_stopping())
  {
    return DAVFS_STOPPED;
  }
  return call_core([=] { return OrthancPluginRestApiDelete(davfs_context, path); });
}

int davfs_call(OrthancPluginMemoryBuffer* response, OrthancPluginMemoryBuffer* headers, uint16_t* status, int method,
               const char* path, const char* match, const void* body, uint32_t size)
{
  if (method != OrthancPluginHttpMethod_Get && davfs_is_stopping())
  {
    return DAVFS_STOPPED;
  }
  const char* key = "if-match";
  return call_core(
      [=]
      {
        return OrthancPluginCallRestApi(davfs_context, response, headers, status, (OrthancPluginHttpMethod) method, path,
                                        match == NULL ? 0 : 1, &key, &match, body, size, 0);
      });
}

int davfs_get_file(OrthancPluginMemoryBuffer* file, const char* instance)
{
  return call_core([=] { return OrthancPluginGetDicomForInstance(davfs_context, file, instance); });
}

static OrthancPluginErrorCode transcode(OrthancPluginMemoryBuffer* file, const void* content, uint32_t size,
                                        const char* syntax)
{
  OrthancPluginDicomInstance* instance = OrthancPluginTranscodeDicomInstance(davfs_context, content, size, syntax);
  if (instance == NULL)
  {
    return OrthancPluginErrorCode_BadFileFormat;
  }
  OrthancPluginErrorCode code = OrthancPluginSerializeDicomInstance(davfs_context, file, instance);
  OrthancPluginFreeDicomInstance(davfs_context, instance);
  return code;
}

int davfs_transcode(OrthancPluginMemoryBuffer* file, const void* content, uint32_t size, const char* syntax)
{
  return call_core([=] { return transcode(file, content, size, syntax); });
}

void davfs_free(OrthancPluginMemoryBuffer* buffer)
{
  caller self(context);
  if (self.may_pass()) /* otherwise the process ends */
  {
    OrthancPluginFreeMemoryBuffer(davfs_context, buffer);
  }
}

const char* davfs_describe(int code)
{
  caller self(context);
  if (code == DAVFS_STOPPED)
  {
    return "Orthanc is stopping";
  }
  return self.may_pass() ? OrthancPluginGetErrorDescription(davfs_context, (OrthancPluginErrorCode) code) : NULL;
}

void davfs_log(int severity, const char* line)
{
  caller self(context);
  auto log = severity == DAVFS_ERROR     ? OrthancPluginLogError
             : severity == DAVFS_WARNING ? OrthancPluginLogWarning
                                         : OrthancPluginLogInfo;
  if (self.may_pass())
  {
    log(davfs_context, line);
  }
}

/* Formats or returns what the core has in memory already: no request, and no lock but one that the caller's thread holds. */
template <typename Result, typename Call>
static Result of_instance(Result otherwise, Call call)
{
  caller self(context);
  Result result = otherwise;
  if (self.may_pass())
  {
    guarded([&] { result = call(); return OrthancPluginErrorCode_Success; });
  }
  return result;
}

const void* davfs_instance_data(const OrthancPluginDicomInstance* instance, size_t* size)
{
  int64_t length = of_instance<int64_t>(-1, [=] { return OrthancPluginGetInstanceSize(davfs_context, instance); });
  *size = length > 0 ? static_cast<size_t>(length) : 0;
  return length > 0 ? of_instance<const void*>(NULL, [=] { return OrthancPluginGetInstanceData(davfs_context, instance); })
                    : NULL;
}

char* davfs_instance_json(const OrthancPluginDicomInstance* instance)
{
  return of_instance<char*>(NULL, [=] { return OrthancPluginGetInstanceSimplifiedJson(davfs_context, instance); });
}

void davfs_free_text(char* text)
{
  caller self(context);
  if (self.may_pass())
  {
    OrthancPluginFreeString(davfs_context, text);
  }
}

int davfs_instance_origin(const OrthancPluginDicomInstance* instance)
{
  return of_instance<int>(OrthancPluginInstanceOrigin_Unknown,
                          [=] { return OrthancPluginGetInstanceOrigin(davfs_context, instance); });
}

const char* davfs_instance_metadata(const OrthancPluginDicomInstance* instance, const char* name)
{
  int has = of_instance<int>(0, [=] { return OrthancPluginHasInstanceMetadata(davfs_context, instance, name); });
  const char* found = NULL;
  if (has == 1)
  {
    found = of_instance<const char*>(NULL, [=] { return OrthancPluginGetInstanceMetadata(davfs_context, instance, name); });
  }
  return found != NULL ? found : "";
}

const char* davfs_instance_sender(const OrthancPluginDicomInstance* instance)
{
  const char* sender =
      of_instance<const char*>(NULL, [=] { return OrthancPluginGetInstanceRemoteAet(davfs_context, instance); });
  return sender ? sender : "";
}
