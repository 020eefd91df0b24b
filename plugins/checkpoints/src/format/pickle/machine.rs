//! The stack machine of pickle protocols 2 to 5, as far as state dicts use it.
//!
//! Containers live in arenas and values name them by index, so that no input can make dropping or copying them recurse.

use super::{Fault, StorageRef, Tensor};
use crate::format::DType;
use std::collections::HashMap;
use std::rc::Rc;

/// What lies on the stack.
#[derive(Debug, Clone)]
pub(super) enum Value {
    None,
    Bool(bool),
    Int(i64),
    Float(f64),
    Text(Rc<str>),
    /// Raw bytes, which nothing here needs.
    Bytes,
    /// Its items, and how deep tuples lie in it.
    Tuple(Rc<[Value]>, usize),
    /// Index into the machine's lists.
    List(usize),
    /// Index into the machine's dicts.
    Dict(usize),
    /// A Python object by name, not called.
    Global(Rc<str>),
    Storage(usize),
    Tensor(usize),
}

impl Value {
    /// Numbers and texts as text.
    pub fn as_plain_text(&self) -> Option<String> {
        match self {
            Self::Bool(value) => Some(value.to_string()),
            Self::Int(value) => Some(value.to_string()),
            Self::Float(value) => Some(value.to_string()),
            Self::Text(value) => Some(value.to_string()),
            _ => None,
        }
    }

    fn tuple_depth(&self) -> usize {
        match self {
            Self::Tuple(_, depth) => *depth,
            _ => 0,
        }
    }

    fn as_size(&self) -> Option<usize> {
        match self {
            Self::Int(value) => usize::try_from(*value).ok(),
            _ => None,
        }
    }

    fn as_sizes(&self) -> Option<Vec<usize>> {
        match self {
            Self::Tuple(items, _) => items.iter().map(Self::as_size).collect(),
            _ => None,
        }
    }
}

/// Tuples in tuples: a shape in a call's arguments is the deepest that state dicts need.
const MAX_TUPLE_DEPTH: usize = 32;

pub(super) struct Machine<'a> {
    input: &'a [u8],
    at: usize,
    stack: Vec<Value>,
    marks: Vec<usize>,
    memo: HashMap<u32, Value>,
    dicts: Vec<Vec<(Value, Value)>>,
    lists: Vec<Vec<Value>>,
    pub storages: Vec<StorageRef>,
    storage_of: HashMap<Rc<str>, usize>,
    pub tensors: Vec<Tensor>,
}

type Step<T = ()> = Result<T, Fault>;

fn malformed<T>(reason: impl Into<String>) -> Step<T> {
    Err(Fault::Malformed(reason.into()))
}

impl<'a> Machine<'a> {
    pub fn new(input: &'a [u8]) -> Self {
        Self {
            input,
            at: 0,
            stack: Vec::new(),
            marks: Vec::new(),
            memo: HashMap::new(),
            dicts: Vec::new(),
            lists: Vec::new(),
            storages: Vec::new(),
            storage_of: HashMap::new(),
            tensors: Vec::new(),
        }
    }

    /// The entries of a dict, in the order in which they were set.
    pub fn dict(&self, index: usize) -> &[(Value, Value)] {
        &self.dicts[index]
    }

    /// The items of a list.
    pub fn list(&self, index: usize) -> &[Value] {
        &self.lists[index]
    }

    /// Bytes of the input that were read: where the next pickle starts, if one follows.
    pub fn consumed(&self) -> usize {
        self.at
    }

    /// Runs to the end and gives the value that is left.
    pub fn run(mut self) -> Step<(Self, Value)> {
        loop {
            let code = self.byte()?;
            if code == b'.' {
                let value = self.pop()?;
                return Ok((self, value));
            }
            self.step(code)?;
        }
    }

    fn step(&mut self, code: u8) -> Step {
        match code {
            0x80 => self.protocol(),
            0x95 => self.take(8).map(|_| ()),
            b'(' => {
                self.marks.push(self.stack.len());
                Ok(())
            }
            b'0' => self.pop().map(|_| ()),
            b'}' | b']' | b')' | b'N' | 0x88 | 0x89 => self.constant(code),
            b'K' | b'M' | b'J' | 0x8a | b'G' => self.number(code),
            b'X' | 0x8c | 0x8d | b'U' | b'T' => self.text(code),
            b'C' | b'B' => self.raw_bytes(code),
            b't' | 0x85..=0x87 => self.tuple(code),
            b'a' | b'e' => self.extend_list(code),
            b's' | b'u' => self.set_items(code),
            b'q' | b'r' | 0x94 => self.remember(code),
            b'h' | b'j' => self.recall(code),
            b'c' | 0x93 => self.global(code),
            b'Q' => self.storage(),
            b'R' | 0x81 => self.call(),
            b'b' => self.build(),
            other => Err(Fault::Refused(format!("the instruction 0x{other:02x}"))),
        }
    }

    fn protocol(&mut self) -> Step {
        match self.byte()? {
            2..=5 => Ok(()),
            other => Err(Fault::Refused(format!("protocol {other}"))),
        }
    }

    fn constant(&mut self, code: u8) -> Step {
        let value = match code {
            b'}' => self.new_dict(),
            b']' => {
                self.lists.push(Vec::new());
                Value::List(self.lists.len() - 1)
            }
            b')' => Value::Tuple(Rc::new([]), 1),
            b'N' => Value::None,
            code => Value::Bool(code == 0x88),
        };
        self.stack.push(value);
        Ok(())
    }

    fn number(&mut self, code: u8) -> Step {
        let value = match code {
            b'K' => Value::Int(self.byte()?.into()),
            b'M' => Value::Int(u16::from_le_bytes(self.array()?).into()),
            b'J' => Value::Int(i32::from_le_bytes(self.array()?).into()),
            b'G' => Value::Float(f64::from_be_bytes(self.array()?)),
            _ => self.long()?,
        };
        self.stack.push(value);
        Ok(())
    }

    /// A little-endian two's complement number of any length, of which eight bytes are enough here.
    fn long(&mut self) -> Step<Value> {
        let length = self.byte()? as usize;
        let bytes = self.take(length)?;
        if length > 8 {
            return malformed("holds a number of more than 64 bits");
        }
        let negative = bytes.last().is_some_and(|&byte| byte >= 0x80);
        let mut all = [if negative { 0xff } else { 0 }; 8];
        all[..length].copy_from_slice(bytes);
        Ok(Value::Int(i64::from_le_bytes(all)))
    }

    fn text(&mut self, code: u8) -> Step {
        let length = match code {
            0x8c | b'U' => self.byte()? as usize,
            0x8d => usize::try_from(u64::from_le_bytes(self.array()?)).unwrap_or(usize::MAX),
            _ => u32::from_le_bytes(self.array()?) as usize,
        };
        let text = String::from_utf8_lossy(self.take(length)?);
        self.stack.push(Value::Text(text.into()));
        Ok(())
    }

    fn raw_bytes(&mut self, code: u8) -> Step {
        let length =
            if code == b'C' { self.byte()? as usize } else { u32::from_le_bytes(self.array()?) as usize };
        self.take(length)?;
        self.stack.push(Value::Bytes);
        Ok(())
    }

    fn tuple(&mut self, code: u8) -> Step {
        let from = match code {
            b't' => self.mark()?,
            code => self.stack.len().checked_sub((code - 0x84) as usize).ok_or_else(underflow)?,
        };
        let items: Rc<[Value]> = self.stack.split_off(from).into();
        let depth = 1 + items.iter().map(Value::tuple_depth).max().unwrap_or(0);
        if depth > MAX_TUPLE_DEPTH {
            return malformed(format!("nests tuples more than {MAX_TUPLE_DEPTH} deep"));
        }
        self.stack.push(Value::Tuple(items, depth));
        Ok(())
    }

    fn extend_list(&mut self, code: u8) -> Step {
        let from = if code == b'a' { self.stack.len().saturating_sub(1) } else { self.mark()? };
        let items = self.stack.split_off(from);
        let Some(Value::List(list)) = self.stack.last() else {
            return malformed("appends to what is no list");
        };
        self.lists[*list].extend(items);
        Ok(())
    }

    fn set_items(&mut self, code: u8) -> Step {
        let from = match code {
            b's' => self.stack.len().checked_sub(2).ok_or_else(underflow)?,
            _ => self.mark()?,
        };
        let items = self.stack.split_off(from);
        let Some(Value::Dict(dict)) = self.stack.last() else {
            return malformed("sets items of what is no dict");
        };
        let mut items = items.into_iter();
        while let (Some(key), Some(value)) = (items.next(), items.next()) {
            self.dicts[*dict].push((key, value));
        }
        Ok(())
    }

    fn remember(&mut self, code: u8) -> Step {
        let place = match code {
            b'q' => self.byte()?.into(),
            b'r' => u32::from_le_bytes(self.array()?),
            _ => self.memo.len() as u32,
        };
        let value = self.stack.last().ok_or_else(underflow)?.clone();
        self.memo.insert(place, value);
        Ok(())
    }

    fn recall(&mut self, code: u8) -> Step {
        let place = if code == b'h' { self.byte()?.into() } else { u32::from_le_bytes(self.array()?) };
        let Some(value) = self.memo.get(&place) else {
            return malformed(format!("recalls {place}, which was never remembered"));
        };
        self.stack.push(value.clone());
        Ok(())
    }

    fn global(&mut self, code: u8) -> Step {
        let name = if code == b'c' {
            let (module, name) = (self.line()?, self.line()?);
            format!("{module}.{name}")
        } else {
            match (self.pop()?, self.pop()?) {
                (Value::Text(name), Value::Text(module)) => format!("{module}.{name}"),
                _ => return malformed("names an object by what is no text"),
            }
        };
        self.stack.push(Value::Global(name.into()));
        Ok(())
    }

    /// A persistent id: `("storage", type, key, device, elements)`, to which files of before PyTorch 1.6 add a view of another
    /// storage, of which only none is known.
    fn storage(&mut self) -> Step {
        let Value::Tuple(id, _) = self.pop()? else {
            return malformed("has a persistent id that is no tuple");
        };
        let [Value::Text(kind), Value::Global(class), Value::Text(key), _device, elements, view @ ..] = &*id
        else {
            return malformed("has a persistent id that is no storage");
        };
        if !matches!(view, [] | [Value::None]) {
            return Err(Fault::Refused("a storage within a storage".into()));
        }
        let (true, Some(elements)) = (&**kind == "storage", elements.as_size()) else {
            return malformed("has a persistent id that is no storage");
        };
        let dtype = storage_type(class).ok_or_else(|| Fault::Refused(format!("storages of {class}")))?;
        let next = self.storages.len();
        let index = *self.storage_of.entry(key.clone()).or_insert(next);
        if index == next {
            self.storages.push(StorageRef { key: key.clone(), dtype, elements: elements as u64 });
        } else if self.storages[index].dtype != dtype {
            return malformed(format!("gives storage {key} two types"));
        }
        self.stack.push(Value::Storage(index));
        Ok(())
    }

    fn call(&mut self) -> Step {
        let (arguments, function) = (self.pop()?, self.pop()?);
        let (Value::Tuple(arguments, _), Value::Global(function)) = (arguments, function) else {
            return malformed("calls what is no function");
        };
        let value = match &*function {
            "collections.OrderedDict" if arguments.is_empty() => self.new_dict(),
            "collections.OrderedDict" if arguments.len() == 1 => self.dict_of_pairs(&arguments[0])?,
            "torch.Size" if arguments.len() == 1 => arguments[0].clone(),
            "torch._utils._rebuild_tensor_v2" | "torch._utils._rebuild_tensor" => self.tensor(&arguments)?,
            "torch._utils._rebuild_parameter" => match arguments.first() {
                Some(tensor @ Value::Tensor(_)) => tensor.clone(),
                _ => return malformed("makes a parameter of what is no tensor"),
            },
            other => return Err(Fault::Refused(format!("a call of {other}"))),
        };
        self.stack.push(value);
        Ok(())
    }

    /// What Python 2 writes of an ordered dict: a list of lists of a key and a value. The list is used up, so that no input can
    /// make large dicts of one list again and again.
    fn dict_of_pairs(&mut self, pairs: &Value) -> Step<Value> {
        let Value::List(pairs) = pairs else { return malformed("makes a dict of what is no list of pairs") };
        let pairs = std::mem::take(&mut self.lists[*pairs]);
        let pair = |item: &Value| match item {
            Value::List(pair) => match self.list(*pair) {
                [key, value] => Some((key.clone(), value.clone())),
                _ => None,
            },
            _ => None,
        };
        let entries: Option<Vec<_>> = pairs.iter().map(pair).collect();
        let Some(entries) = entries else { return malformed("makes a dict of what is no list of pairs") };
        self.dicts.push(entries);
        Ok(Value::Dict(self.dicts.len() - 1))
    }

    /// `(storage, offset, shape, strides, ...)`.
    fn tensor(&mut self, arguments: &[Value]) -> Step<Value> {
        let [Value::Storage(storage), offset, shape, strides, ..] = arguments else {
            return malformed("rebuilds a tensor of what is no storage");
        };
        let (Some(offset), Some(shape), Some(strides)) =
            (offset.as_size(), shape.as_sizes(), strides.as_sizes())
        else {
            return malformed("rebuilds a tensor whose shape is no tuple of sizes");
        };
        self.tensors.push(Tensor { storage: *storage, offset, shape, strides });
        Ok(Value::Tensor(self.tensors.len() - 1))
    }

    /// Attributes of an object: an ordered dict's `_metadata` are of no interest, and nothing else has any.
    fn build(&mut self) -> Step {
        self.pop()?;
        match self.stack.last() {
            Some(Value::Dict(_) | Value::Tensor(_)) => Ok(()),
            _ => Err(Fault::Refused("attributes of an object".into())),
        }
    }

    fn new_dict(&mut self) -> Value {
        self.dicts.push(Vec::new());
        Value::Dict(self.dicts.len() - 1)
    }

    fn pop(&mut self) -> Step<Value> {
        self.stack.pop().ok_or_else(underflow)
    }

    fn mark(&mut self) -> Step<usize> {
        match self.marks.pop() {
            Some(mark) if mark <= self.stack.len() => Ok(mark),
            _ => malformed("closes what it did not open"),
        }
    }

    fn byte(&mut self) -> Step<u8> {
        self.take(1).map(|bytes| bytes[0])
    }

    fn array<const N: usize>(&mut self) -> Step<[u8; N]> {
        let bytes = self.take(N)?;
        bytes.try_into().map_err(|_| underflow())
    }

    fn take(&mut self, length: usize) -> Step<&'a [u8]> {
        let end = self.at.checked_add(length).filter(|&end| end <= self.input.len());
        let Some(end) = end else { return malformed("ends in the middle") };
        let bytes = &self.input[self.at..end];
        self.at = end;
        Ok(bytes)
    }

    fn line(&mut self) -> Step<&'a str> {
        let rest = &self.input[self.at..];
        let Some(length) = rest.iter().position(|&byte| byte == b'\n') else {
            return malformed("ends in the middle");
        };
        self.at += length + 1;
        std::str::from_utf8(&rest[..length])
            .map_err(|_| Fault::Malformed("has a name that is not UTF-8".into()))
    }
}

fn underflow() -> Fault {
    Fault::Malformed("takes more from the stack than is on it".into())
}

fn storage_type(class: &str) -> Option<DType> {
    Some(match class.strip_prefix("torch.")? {
        "DoubleStorage" => DType::F64,
        "FloatStorage" => DType::F32,
        "HalfStorage" => DType::F16,
        "BFloat16Storage" => DType::BF16,
        "LongStorage" => DType::I64,
        "IntStorage" => DType::I32,
        "ShortStorage" => DType::I16,
        "CharStorage" => DType::I8,
        "ByteStorage" => DType::U8,
        "BoolStorage" => DType::BOOL,
        _ => return None,
    })
}
