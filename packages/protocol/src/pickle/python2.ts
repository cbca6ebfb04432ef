/**
 * Python 2's names, which protocols 0 to 2 write also today: Python 3 translates while it pickles and unpickles
 * (`_compat_pickle`), so what is read from them is written back under its Python 3 name.
 */
import { PyGlobal } from '../values/py-object.ts'

const MODULES = table(`__builtin__ builtins, copy_reg copyreg, Queue queue, SocketServer socketserver, repr reprlib,
  ConfigParser configparser, markupbase _markupbase, _winreg winreg, thread _thread, dbhash dbm.bsd, dumbdbm dbm.dumb,
  dbm dbm.ndbm, gdbm dbm.gnu, xmlrpclib xmlrpc.client, SimpleXMLRPCServer xmlrpc.server, httplib http.client,
  htmlentitydefs html.entities, HTMLParser html.parser, Cookie http.cookies, cookielib http.cookiejar,
  BaseHTTPServer http.server, commands subprocess, urlparse urllib.parse, robotparser urllib.robotparser,
  urllib2 urllib.request, anydbm dbm, _abcoll collections.abc, cPickle pickle, _elementtree xml.etree.ElementTree,
  DocXMLRPCServer xmlrpc.server, SimpleHTTPServer http.server, CGIHTTPServer http.server, UserDict collections,
  UserList collections, UserString collections, whichdb dbm, StringIO io, cStringIO io, exceptions builtins`)

const NAMES =
  table(`__builtin__.xrange builtins.range, __builtin__.reduce functools.reduce, __builtin__.intern sys.intern,
  __builtin__.unichr builtins.chr, __builtin__.unicode builtins.str, __builtin__.long builtins.int,
  __builtin__.basestring builtins.str, itertools.izip builtins.zip, itertools.imap builtins.map,
  itertools.ifilter builtins.filter, itertools.ifilterfalse itertools.filterfalse,
  itertools.izip_longest itertools.zip_longest, UserDict.IterableUserDict collections.UserDict,
  _socket.fromfd socket.fromfd, multiprocessing.process.Process multiprocessing.context.Process,
  exceptions.StandardError builtins.Exception, urllib.ContentTooShortError urllib.error.ContentTooShortError,
  urllib.quote urllib.parse.quote, urllib.unquote urllib.parse.unquote, urllib.urlencode urllib.parse.urlencode,
  urllib2.HTTPError urllib.error.HTTPError, urllib2.URLError urllib.error.URLError,
  multiprocessing.TimeoutError multiprocessing.context.TimeoutError,
  multiprocessing.ProcessError multiprocessing.context.ProcessError`)

/** A global as protocols 0 to 2 name it, by its name of today. */
export function fromPython2(module: string, name: string): PyGlobal {
  const renamed = NAMES.get(`${module}.${name}`)
  if (renamed === undefined) return new PyGlobal(MODULES.get(module) ?? module, name)
  const dot = renamed.lastIndexOf('.')
  return new PyGlobal(renamed.slice(0, dot), renamed.slice(dot + 1))
}

function table(text: string): ReadonlyMap<string, string> {
  return new Map(text.split(',').map((pair) => pair.trim().split(' ') as [string, string]))
}
