/* Starts and stops Python inside Orthanc.

   Orthanc loads plugins with RTLD_LOCAL, so libpython's symbols have to be made global before any extension module is
   imported; and Orthanc unloads plugins on a reset, while Python keeps pointers into this library for ever.

   The official orthanc-python plugin may come before or after this one, and must register its built-in module before Python
   starts. So Python is started, or the interpreter of orthanc-python used, when all plugins are loaded. */

#define PY_SSIZE_T_CLEAN
#include <Python.h> /* first: it sets feature macros */

#include "davfs.h"

#include <dlfcn.h>
#include <errno.h>
#include <pthread.h>
#include <semaphore.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* Puts the packages of the virtual environment of `python` before all others. An interpreter that we started with it has them
   already; one that orthanc-python started has not.

   Then it loads cffi's extension module so that it calls its own functions first: its wheel contains a libffi, and would call
   Debian's, which Orthanc has loaded before (docs/adr/0015-c-extensions.md). */
static const char FIND_PACKAGES[] =
    "import os, site, sys\n"
    "home = os.path.dirname(os.path.dirname(python))\n"
    "version = 'python%d.%d' % sys.version_info[:2]\n"
    "packages = os.path.join(home, 'lib', version, 'site-packages')\n"
    "if not os.path.isdir(packages):\n"
    "    raise RuntimeError(f'{home} is no virtual environment of {version}: make it anew with that Python')\n"
    "if packages not in sys.path:\n"
    "    before = list(sys.path)\n"
    "    site.addsitedir(packages)\n"
    "    sys.path[:] = [p for p in sys.path if p not in before] + before\n"
    "flags = sys.getdlopenflags()\n"
    "sys.setdlopenflags(flags | os.RTLD_DEEPBIND)\n"
    "try:\n"
    "    import _cffi_backend\n"
    "except ImportError:\n"
    "    pass\n" /* davfs_start_cffi() reports it */
    "finally:\n"
    "    sys.setdlopenflags(flags)\n";

/* Adds flags to the library that holds an address. */
static int reopen(void* address, int flags)
{
  Dl_info info;
  return dladdr(address, &info) != 0 && dlopen(info.dli_fname, RTLD_NOW | RTLD_NOLOAD | flags) != NULL ? 0 : -1;
}

static int pin_libraries(char* reason, size_t size)
{
  if (reopen((void*) &Py_IsInitialized, RTLD_GLOBAL) != 0 || reopen((void*) &davfs_start_python, RTLD_NODELETE) != 0)
  {
    snprintf(reason, size, "libpython cannot be made visible to Python's extension modules");
    return -1;
  }
  return 0;
}

static int start_interpreter(const char* python, char* reason, size_t size)
{
  PyPreConfig before;
  PyPreConfig_InitIsolatedConfig(&before);
  before.utf8_mode = 1; /* services run without a locale, and names of files are UTF-8 */

  PyStatus status = Py_PreInitialize(&before);
  PyConfig config;
  PyConfig_InitIsolatedConfig(&config);
  config.install_signal_handlers = 0;
  if (!PyStatus_Exception(status))
  {
    status = PyConfig_SetBytesString(&config, &config.program_name, python);
  }
  if (!PyStatus_Exception(status))
  {
    status = PyConfig_SetBytesString(&config, &config.executable, python);
  }
  if (!PyStatus_Exception(status))
  {
    status = Py_InitializeFromConfig(&config);
  }
  PyConfig_Clear(&config);

  if (PyStatus_Exception(status))
  {
    snprintf(reason, size, "Python cannot start from %s: %s", python, status.err_msg ? status.err_msg : "exit");
    return -1;
  }
  PyEval_SaveThread();
  return 0;
}

/* Writes the current exception as one line "Type: message". */
static void describe_exception(char* reason, size_t size)
{
  PyObject *type = NULL, *value = NULL, *traceback = NULL;
  PyErr_Fetch(&type, &value, &traceback);
  PyErr_NormalizeException(&type, &value, &traceback);

  PyObject* text = value ? PyObject_Str(value) : NULL;
  const char* message = text ? PyUnicode_AsUTF8(text) : NULL;
  const char* name = type ? ((PyTypeObject*) type)->tp_name : "unknown error";
  const char* dot = strrchr(name, '.');
  snprintf(reason, size, "%s: %s", dot ? dot + 1 : name, message ? message : "no message");
  for (char* c = reason; *c; c++)
  {
    *c = (*c == '\n' || *c == '\r') ? ' ' : *c;
  }
  PyErr_Clear();
  Py_XDECREF(text);
  Py_XDECREF(type);
  Py_XDECREF(value);
  Py_XDECREF(traceback);
}

static int find_packages(const char* python)
{
  PyObject* names = Py_BuildValue("{sOss}", "__builtins__", PyEval_GetBuiltins(), "python", python);
  PyObject* done = names ? PyRun_String(FIND_PACKAGES, Py_file_input, names, names) : NULL;
  Py_XDECREF(done);
  Py_XDECREF(names);
  return done == NULL ? -1 : 0;
}

static int call_plugin(const char* function)
{
  PyObject* module = PyImport_ImportModule("davfs.running.plugin");
  PyObject* done = module ? PyObject_CallMethod(module, function, NULL) : NULL;
  Py_XDECREF(module);
  Py_XDECREF(done);
  return done == NULL ? -1 : 0;
}

/* Returns 1 if this is another Python than before: cffi starts once in a process, and orthanc-python ends Python when Orthanc is
   reset. */
static int is_second_python(void)
{
  static int joined = 0;
  PyObject* module = PyDict_GetItemString(PyImport_GetModuleDict(), "_davfs_sdk"); /* borrowed */
  int second = joined && module == NULL;
  joined = 1;
  return second;
}

static int start_plugin(const char* python, char* reason, size_t size)
{
  PyGILState_STATE gil = PyGILState_Ensure();
  int failed = is_second_python();
  if (failed)
  {
    snprintf(reason, size, "the orthanc-python plugin has ended Python in a reset of Orthanc: restart the process");
  }
  else if ((failed = find_packages(python)) != 0)
  {
    describe_exception(reason, size);
  }
  PyGILState_Release(gil);
  if (failed != 0)
  {
    return -1;
  }

  if (davfs_start_cffi() != 0) /* takes the GIL itself */
  {
    snprintf(reason, size, "cffi cannot be loaded from %s: install this plugin's Python package there", python);
    return -1;
  }

  gil = PyGILState_Ensure();
  failed = call_plugin("start");
  if (failed != 0)
  {
    describe_exception(reason, size);
  }
  PyGILState_Release(gil);
  return failed;
}

int davfs_start_python(const char* python, char* reason, size_t size)
{
  if (pin_libraries(reason, size) != 0) /* first: after a failure, too, the function that ends the process has to stay loaded */
  {
    return -1;
  }
  if (access(python, X_OK) != 0)
  {
    snprintf(reason, size, "Davfs.Python is %s, and there is no such program", python);
    return -1;
  }
  if (!Py_IsInitialized() && start_interpreter(python, reason, size) != 0)
  {
    return -1;
  }
  return start_plugin(python, reason, size);
}

/* Posted when davfs.running.plugin.stop() has returned. Never freed: its thread may outlive the one that waits for it. */
static sem_t stopped;

static void* run_stop(void* nothing)
{
  PyGILState_STATE gil = PyGILState_Ensure();
  if (call_plugin("stop") != 0)
  {
    char reason[512];
    describe_exception(reason, sizeof(reason));
    davfs_log(DAVFS_ERROR, reason);
  }
  PyGILState_Release(gil);
  sem_post(&stopped);
  return nothing;
}

int davfs_stop_python(int milliseconds)
{
  pthread_t thread;
  if (!Py_IsInitialized())
  {
    return 1; /* orthanc-python has ended it */
  }
  sem_init(&stopped, 0, 0);
  if (pthread_create(&thread, NULL, run_stop, NULL) != 0)
  {
    return 0;
  }
  pthread_detach(thread);
  struct timespec until = davfs_after(milliseconds);
  int failed;
  while ((failed = sem_timedwait(&stopped, &until)) != 0 && errno == EINTR)
  {
  }
  return failed == 0;
}
