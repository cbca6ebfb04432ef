"""Qdrant's REST contract, as far as this package uses it, on Qdrant's own in-memory engine for Python.

Prints `listening <port>` once it serves, and ends when its standard input does. The engine keeps no index, HNSW or
quantization settings: those are remembered here, so that they can be read back as from a server.
"""
import json
import os
import re
import sys
import threading
import time
import warnings
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, unquote, urlsplit

from pydantic import BaseModel, TypeAdapter, ValidationError
from qdrant_client import QdrantClient
from qdrant_client.http import models

warnings.filterwarnings('ignore', category=UserWarning)

engine = QdrantClient(':memory:')
lock = threading.Lock()
"""Of each collection: its settings that the engine does not keep, and its payload indexes."""
settings = {}
"""Of each collection: the snapshots that were made of it, kept when it is deleted."""
snapshots = {}


class Refusal(Exception):
    """An answer that is no success, in Qdrant's words."""

    def __init__(self, status, text):
        super().__init__(text)
        self.status = status


def not_found(name):
    return Refusal(404, f"Not found: Collection `{name}` doesn't exist!")


def wrong_input(text):
    return Refusal(400, f'Wrong input: {text}')


def already_exists(name):
    return Refusal(409, f'Wrong input: Collection `{name}` already exists!')


def parse(model, body):
    try:
        return TypeAdapter(model).validate_python(body)
    except ValidationError as error:
        first = error.errors()[0]
        where = '.'.join(str(part) for part in first['loc'])
        raise Refusal(400, f'Format error in JSON body: {where}: {first["msg"]}') from None


def plain(value):
    """Models as JSON, without the fields that are not set; payloads keep their nulls."""
    if isinstance(value, BaseModel):
        return value.model_dump(mode='json', exclude_none=True)
    if isinstance(value, list):
        return [plain(item) for item in value]
    if isinstance(value, dict):
        return {key: plain(item) for key, item in value.items()}
    return value


def names():
    return [entry.name for entry in engine.get_collections().collections]


def alias_map():
    return {entry.alias_name: entry.collection_name for entry in engine.get_aliases().aliases}


def resolve(name):
    """The collection behind a name or an alias."""
    target = alias_map().get(name, name)
    if target not in names():
        raise not_found(name)
    return target


# Collections


def list_collections(body, query):
    return {'collections': [{'name': name} for name in sorted(names())]}


def get_collection(body, query, name):
    target = resolve(name)
    info = plain(engine.get_collection(target))
    kept = settings[target]
    info['config']['params'].update(kept['params'])
    info['config']['hnsw_config'].update(kept['hnsw'])
    info['config']['optimizer_config'].update(kept['optimizers'])
    if kept['quantization'] is not None:
        info['config']['quantization_config'] = kept['quantization']
    total = engine.count(target).count
    info['payload_schema'] = {field: {**schema, 'points': total} for field, schema in kept['indexes'].items()}
    return info


def create_collection(body, query, name):
    if not 0 < len(name) <= 255 or re.search(r'[<>:"/\\|?*\0\x1f]', name):
        raise Refusal(422, f'Validation error in path parameters: [collection_name: value {name!r} is invalid]')
    wanted = parse(models.CreateCollection, body)
    if name in names():
        raise already_exists(name)
    if name in alias_map():
        raise wrong_input(f"Can't create collection with name {name}. Alias with the same name already exists")
    engine.create_collection(name, wanted.vectors or {}, sparse_vectors_config=wanted.sparse_vectors, metadata=wanted.metadata)
    params = {
        'shard_number': wanted.shard_number or 1,
        'replication_factor': wanted.replication_factor or 1,
        'write_consistency_factor': wanted.write_consistency_factor or 1,
        'on_disk_payload': True if wanted.on_disk_payload is None else wanted.on_disk_payload,
    }
    settings[name] = {
        'params': params,
        'hnsw': plain(wanted.hnsw_config) or {},
        'optimizers': plain(wanted.optimizers_config) or {},
        'quantization': plain(wanted.quantization_config),
        'indexes': {},
    }
    return True


def delete_collection(body, query, name):
    existed = name in names()
    engine.delete_collection(name)
    settings.pop(name, None)
    return existed


def collection_exists(body, query, name):
    return {'exists': alias_map().get(name, name) in names()}


# Aliases


def list_aliases(body, query):
    return plain(engine.get_aliases())


def list_collection_aliases(body, query, name):
    return plain(engine.get_collection_aliases(name))


def update_aliases(body, query):
    """One after the other under one lock, as Qdrant does: an action that is refused leaves the earlier ones done."""
    for action in parse(models.ChangeAliasesOperation, body).actions:
        if isinstance(action, models.CreateAliasOperation):
            wanted = action.create_alias
            if wanted.collection_name not in names():
                raise not_found(wanted.collection_name)
            if wanted.alias_name in names():
                raise already_exists(wanted.alias_name)
        elif isinstance(action, models.RenameAliasOperation):
            old = action.rename_alias.old_alias_name
            if old not in alias_map():
                raise Refusal(404, f'Not found: Alias {old} does not exists!')
        engine.update_collection_aliases([action])
    return True


# Snapshots


def list_snapshots(body, query, name):
    return snapshots.get(resolve(name), [])


def create_snapshot(body, query, name):
    """The engine has none: this keeps a snapshot's description in the form of a server."""
    target = resolve(name)
    now = time.gmtime()
    made = {
        'name': f'{target}-{time.time_ns()}-{time.strftime("%Y-%m-%d-%H-%M-%S", now)}.snapshot',
        'creation_time': time.strftime('%Y-%m-%dT%H:%M:%S', now),
        'size': 1024,
        'checksum': '0' * 64,
    }
    snapshots.setdefault(target, []).append(made)
    return made


# Points


def updated(query):
    waited = query.get('wait', ['false'])[0] == 'true'
    return {'operation_id': 0, 'status': 'completed' if waited else 'acknowledged'}


def check_dimensions(target, points):
    """Before the engine touches anything: it would stop half-way."""
    declared = engine.get_collection(target).config.params.vectors
    by_name = declared if isinstance(declared, dict) else {'': declared}
    for point in points:
        vectors = point.vector if isinstance(point.vector, dict) else {'': point.vector}
        for name, vector in vectors.items():
            params = by_name.get(name)
            if params is None or not isinstance(vector, list) or (vector and isinstance(vector[0], list)):
                continue
            if len(vector) != params.size:
                raise wrong_input(f'Vector dimension error: expected dim: {params.size}, got {len(vector)}')


def upsert_points(body, query, name):
    target = resolve(name)
    wanted = parse(models.PointInsertOperations, body)
    if isinstance(wanted, models.PointsList):
        check_dimensions(target, wanted.points)
        engine.upsert(target, wanted.points)
    else:
        engine.upsert(target, wanted.batch)
    return updated(query)


def delete_points(body, query, name):
    engine.delete(resolve(name), parse(models.PointsSelector, body))
    return updated(query)


def retrieve_points(body, query, name):
    wanted = parse(models.PointRequest, body)
    payload = True if wanted.with_payload is None else wanted.with_payload
    found = engine.retrieve(resolve(name), wanted.ids, with_payload=payload, with_vectors=wanted.with_vector or False)
    return [record(point) for point in found]


def scroll_points(body, query, name):
    wanted = parse(models.ScrollRequest, body)
    found, following = engine.scroll(
        resolve(name),
        scroll_filter=wanted.filter,
        limit=wanted.limit or 10,
        order_by=wanted.order_by,
        offset=wanted.offset,
        with_payload=True if wanted.with_payload is None else wanted.with_payload,
        with_vectors=wanted.with_vector or False,
    )
    return {'points': [record(point) for point in found], 'next_page_offset': following}


def count_points(body, query, name):
    wanted = parse(models.CountRequest, body)
    return {'count': engine.count(resolve(name), count_filter=wanted.filter).count}


def query_points(body, query, name):
    wanted = parse(models.QueryRequest, body)
    found = engine.query_points(
        resolve(name),
        query=wanted.query,
        using=wanted.using,
        prefetch=wanted.prefetch,
        query_filter=wanted.filter,
        score_threshold=wanted.score_threshold,
        limit=wanted.limit or 10,
        offset=wanted.offset,
        with_payload=wanted.with_payload or False,
        with_vectors=wanted.with_vector or False,
    )
    return {'points': [{**record(point), 'version': point.version, 'score': point.score} for point in found.points]}


def record(point):
    reply = {'id': point.id}
    if point.payload is not None:
        reply['payload'] = point.payload
    if point.vector is not None:
        reply['vector'] = plain(point.vector)
    return reply


def create_index(body, query, name):
    target = resolve(name)
    wanted = parse(models.CreateFieldIndex, body)
    schema = plain(wanted.field_schema)
    if schema is None:
        raise wrong_input('Field schema is required')
    if isinstance(schema, dict):
        settings[target]['indexes'][wanted.field_name] = {'data_type': schema['type'], 'params': schema}
    else:
        settings[target]['indexes'][wanted.field_name] = {'data_type': schema}
    return updated(query)


NAME = '([^/]+)'
ROUTES = [
    ('GET', '/collections', list_collections),
    ('POST', '/collections/aliases', update_aliases),
    ('GET', '/aliases', list_aliases),
    ('GET', f'/collections/{NAME}', get_collection),
    ('PUT', f'/collections/{NAME}', create_collection),
    ('DELETE', f'/collections/{NAME}', delete_collection),
    ('GET', f'/collections/{NAME}/exists', collection_exists),
    ('GET', f'/collections/{NAME}/aliases', list_collection_aliases),
    ('GET', f'/collections/{NAME}/snapshots', list_snapshots),
    ('POST', f'/collections/{NAME}/snapshots', create_snapshot),
    ('PUT', f'/collections/{NAME}/index', create_index),
    ('PUT', f'/collections/{NAME}/points', upsert_points),
    ('POST', f'/collections/{NAME}/points', retrieve_points),
    ('POST', f'/collections/{NAME}/points/scroll', scroll_points),
    ('POST', f'/collections/{NAME}/points/count', count_points),
    ('POST', f'/collections/{NAME}/points/query', query_points),
    ('POST', f'/collections/{NAME}/points/delete', delete_points),
]


def answer(method, target, body):
    """Status and JSON of one call."""
    began = time.perf_counter()
    url = urlsplit(target)
    try:
        for verb, pattern, handler in ROUTES:
            found = re.fullmatch(pattern, url.path) if verb == method else None
            if found:
                arguments = [unquote(part) for part in found.groups()]
                with lock:
                    result = handler(json.loads(body or b'{}'), parse_qs(url.query), *arguments)
                return 200, {'result': result, 'status': 'ok', 'time': time.perf_counter() - began}
        return 404, None
    except Refusal as refusal:
        status, text = refusal.status, str(refusal)
    except json.JSONDecodeError as error:
        status, text = 400, f'Format error in JSON body: {error}'
    except (ValueError, TypeError, KeyError, AssertionError) as error:
        status, text = 400, f'Wrong input: {error}'
    except Exception as error:  # noqa: BLE001 - a server answers whatever happens
        status, text = 500, f'Service internal error: {type(error).__name__}: {error}'
    return status, {'status': {'error': text}, 'time': time.perf_counter() - began}


class Handler(BaseHTTPRequestHandler):
    protocol_version = 'HTTP/1.1'
    disable_nagle_algorithm = True

    def serve(self):
        body = self.rfile.read(int(self.headers.get('content-length') or 0))
        if self.path in ('/healthz', '/livez', '/readyz'):
            return self.send(200, b'healthz check passed', 'text/plain; charset=utf-8')
        if self.path == '/':
            version = {'title': 'qdrant - vector search engine', 'version': engine.info().version}
            return self.send(200, json.dumps(version).encode())
        status, reply = answer(self.command, self.path, body)
        if reply is None:
            return self.send(status, b'', None)
        self.send(status, json.dumps(reply).encode())

    do_GET = do_PUT = do_POST = do_PATCH = do_DELETE = serve

    def send(self, status, body, content_type='application/json'):
        self.send_response(status)
        if content_type is not None:
            self.send_header('content-type', content_type)
        self.send_header('content-length', str(len(body)))
        # Head and body in one packet.
        self._headers_buffer.append(b'\r\n' + body)
        self.flush_headers()

    def log_message(self, *details):
        pass


class Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128

    def handle_error(self, request, client_address):
        pass  # a client that went away


def end_with_parent():
    sys.stdin.read()
    os._exit(0)


server = Server(('127.0.0.1', 0), Handler)
threading.Thread(target=end_with_parent, daemon=True).start()
print(f'listening {server.server_port}', flush=True)
server.serve_forever()
