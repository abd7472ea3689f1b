// plugin.cpp as an extension of Python: vqcache_plugin.work(DIRECTORY) gives what plugin_work does.

#define PY_SSIZE_T_CLEAN
#include <Python.h>

extern "C" int plugin_work(const char* directory);

static PyObject* work(PyObject*, PyObject* args) {
  const char* directory = nullptr;
  if (!PyArg_ParseTuple(args, "s", &directory)) return nullptr;
  return PyLong_FromLong(plugin_work(directory));
}

static PyMethodDef methods[] = {
    {"work", work, METH_VARARGS, nullptr}, {nullptr, nullptr, 0, nullptr}};

static PyModuleDef module = {PyModuleDef_HEAD_INIT, "vqcache_plugin", nullptr, -1, methods, nullptr,
    nullptr, nullptr, nullptr};

PyMODINIT_FUNC PyInit_vqcache_plugin() {
  return PyModule_Create(&module);
}
